"""One target in words, what is wrong on top: for the terminal and for `debug=true`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from closewatch.core.families import Sample
from closewatch.core.labels import clean
from closewatch.core.problems import printable
from closewatch.core.scrape import Scrape, Status

KIB = 1024
META = ("closewatch_collector_", "closewatch_target_")


def wrong(status: Status) -> list[str]:
    """What is wrong with a target, a line each; the target's own fault alone where it explains the others."""
    if status.down is not None:
        why = status.down
        lines = [f"down: {why.reason.value}: {why.reason.words}"]
        return [*lines, f"      {why.detail}"] if why.detail else lines
    return [
        f"{name}: {failure.reason.value}: {failure.reason.words}" + (f" ({failure.detail})" if failure.detail else "")
        for name, failure in status.failures
    ]


def explain(scrape: Scrape, samples: Iterable[Sample]) -> str:
    """The newest scrape as text: what is wrong, each collector in a line, then every value with its meaning."""
    target, status = scrape.target, scrape.status
    labels = ", ".join(f"{label}={value}" for label, value in target.labels.items())
    lines = [f"{target.kind} {printable(clean(target.name))}   {printable(labels)}"]
    problems = wrong(status) if status else ["not asked yet"]
    lines += [f"  WRONG  {line}" for line in problems] or ["  all is well: every collector succeeded"]
    if status is not None:
        lines += ["", f"collectors, {status.seconds * 1000:.1f} ms in all"]
        failures = dict(status.failures)
        for name, seconds in status.durations:
            result = failures[name].reason.value if name in failures else "ok"
            lines.append(f"    {seconds * 1000:>25.1f} ms  {name}  {result}")
    lines += _values(sample for sample in samples if not sample.family.name.startswith(META))
    return "\n".join(lines) + "\n"


def _values(samples: Iterable[Sample]) -> list[str]:
    """The values by family: its name and meaning, then a line a value."""
    lines: list[str] = []
    family = None
    for sample in sorted(samples, key=lambda sample: sample.family.name):
        if sample.value is None:
            continue
        if sample.family is not family:
            family = sample.family
            lines += ["", f"{family.name}  {family.help}"]
        own = ", ".join(f"{k}={clean(v)}" for k, v in zip(family.labels, sample.labels, strict=True) if v)
        lines.append(f"    {human(family.name, sample.value):>28}  {printable(own)}".rstrip())
    return lines


def human(name: str, value: float) -> str:
    """A value as a person reads it, by the unit in the family's name."""
    if name.endswith("_timestamp_seconds"):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if value > 0 else "never"
    if name.endswith("_bytes"):
        size = value
        for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
            if abs(size) < KIB or unit == "TiB":
                return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
            size /= KIB
    if name.endswith(("_seconds", "_seconds_total")):
        return f"{value:.3f} s"
    return f"{value:.0f}" if value == int(value) else f"{value:.4g}"
