"""The shipped rule files, with an installation's own addresses and mode.

They are changed as text, so that comments, order and templates stay as they are, and a diff shows what was changed.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import yaml

from closewatch.resources import find_data

RUNBOOK_BASE = "https://docs.closewatch.example/runbooks"
GRAFANA_BASE = "https://docs.closewatch.example/grafana"
"""What the committed files carry: the public documentation."""
MODES = ("notify", "observe")
OBSERVED = "closewatch_mode: observe"

_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]+")
_LABELS = re.compile(r" +labels:")
_RULE = re.compile(r" +- (alert|record): ")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_DURATION = re.compile(r"(\d+)(ms|[smhdwy])")


def load() -> dict[str, dict[str, Any]]:
    """The shipped rule files by name, read."""
    return {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in _files()}


def render(
    folder: Path, *, runbook_base: str | None = None, grafana_base: str | None = None, mode: str = "notify"
) -> list[Path]:
    """Write the rule files to a folder and tell their paths. Raises ValueError for a bad address or mode."""
    texts = {
        path.name: rendered(path.read_text(encoding="utf-8"), runbook_base, grafana_base, mode) for path in _files()
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


def rendered(text: str, runbook_base: str | None = None, grafana_base: str | None = None, mode: str = "notify") -> str:
    """A rule file with other addresses; in observe mode each alert carries `closewatch_mode="observe"`."""
    if mode not in MODES:
        raise ValueError(f"mode: {mode!r} is not one of {', '.join(MODES)}")
    for option, committed, base in (
        ("runbook-base", RUNBOOK_BASE, runbook_base),
        ("grafana-base", GRAFANA_BASE, grafana_base),
    ):
        if base is not None:
            text = text.replace(f"{committed}/", f"{_address(option, base)}/")
    return _observed(text) if mode == "observe" else text


def shortened(rules: dict[str, Any], factor: float) -> dict[str, Any]:
    """Rules whose `for` and `keep_firing_for` are `factor` times shorter, at least a second. For the demo only."""
    rules = copy.deepcopy(rules)
    for group in rules["groups"]:
        for rule in group["rules"]:
            for key in ("for", "keep_firing_for"):
                if key in rule:
                    rule[key] = f"{max(1, round(seconds(rule[key]) / factor))}s"
    return rules


def seconds(duration: str) -> float:
    """A duration as Prometheus writes it, such as 1h30m. Raises ValueError for anything else."""
    parts = _DURATION.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ValueError(f"{duration!r} is not a duration such as 5m or 1h30m")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)


def _files() -> list[Path]:
    return sorted(find_data("alerting/rules").glob("*.yml"))


def _address(option: str, base: str) -> str:
    """It ends up in YAML and in a template of Prometheus: what could break out of either is refused."""
    if not _ADDRESS.fullmatch(base):
        raise ValueError(f"{option}: {base!r} is not an address; write https://host/path")
    return base.rstrip("/")


def _observed(text: str) -> str:
    """The label goes to the labels that each alert has; recording rules stay as they are."""
    lines: list[str] = []
    alert = False
    for line in text.splitlines(keepends=True):
        lines.append(line)
        if rule := _RULE.match(line):
            alert = rule[1] == "alert"
        elif alert and (labels := _LABELS.fullmatch(line.rstrip())):
            lines.append(f"{labels[0].removesuffix('labels:')}  {OBSERVED}\n")
    return "".join(lines)
