"""docs/reference/metrics.md, from the declarations: the families by concern and collector."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterable, Iterator

from closewatch.core import meta
from closewatch.core.collectors import Collector, On
from closewatch.core.families import Family
from closewatch.kinds import KINDS
from closewatch.sources.postgresql import cluster
from closewatch.sources.redis import source as redis
from tools.markdown import cell, table

INTRODUCTION = """# Metrics

Every series of a target carries the labels `environment`, `cell`, `tenant` (absent on what tenants share) and
`target`; the tables show what a family adds to them. Times are Unix timestamps, never "seconds since". What is
unknown is absent, never 0.

A collector of the **fast** lane asks at each scrape. One of the **slow** lane asks at its interval; its last answer
is kept, its time is `closewatch_collector_last_success_timestamp_seconds`, and it is dropped when older than three
intervals.
"""

CONCERNS = {name: importlib.import_module(f"closewatch.{name}") for name in KINDS}
OF_SOURCES = {*cluster.FAMILIES, *redis.FAMILIES}
_MEMBERS = {On.PRIMARY: "primary", On.STANDBY: "standbys", On.EACH: "each member"}


def render() -> str:
    """The whole page."""
    return "\n".join(_parts()).rstrip() + "\n"


def overview() -> str:
    """The table of the README: what is watched, and by which collectors."""
    rows = (
        (f"**{name}**", _sentences(CONCERNS[name].__doc__), ", ".join(one.name for one in kind.collectors))
        for name, kind in KINDS.items()
    )
    return "\n".join(table(("exporter", "what it watches", "collectors"), rows))


def _sentences(docstring: str | None) -> str:
    """The question of the first paragraph, and the first sentence of the second: what is watched for it."""
    question, _, rest = (docstring or "").partition("\n\n")
    return f"{question} {' '.join(rest.split()).partition('. ')[0]}."


def _parts() -> Iterator[str]:
    yield INTRODUCTION
    yield "## Every target\n"
    yield from _families((*meta.TARGET_FAMILIES, *meta.CHECK_FAMILIES, meta.UNWATCHED))
    yield "## The process\n"
    yield "On `/metrics`. The inventory and the state of discovery carry the labels of the target that they speak of.\n"
    yield from _families(meta.PROCESS_FAMILIES)
    for name, kind in KINDS.items():
        yield f"## {name}\n"
        yield f"{_text(CONCERNS[name].__doc__)}\n"
        yield from table(
            ("collector", "lane", "asked of", "time limit", "only with"),
            (
                (
                    f"[{one.name}](#{name}-{one.name})",
                    _lane(one),
                    _MEMBERS[one.on],
                    f"{one.budget * 1000:g} ms",
                    f"`{one.applies}`" if one.applies else "-",
                )
                for one in kind.collectors
            ),
        )
        yield from _of_the_source(name, kind.collectors)
        for collector in kind.collectors:
            yield from _collector(name, collector)


def _collector(kind: str, collector: Collector) -> Iterator[str]:
    yield f"### {kind}: {collector.name}\n"
    for paragraph in _prose(sys.modules[collector.read.__module__].__doc__ or ""):
        yield f"{paragraph}\n"
    yield from _families(collector.families)


def _of_the_source(kind: str, collectors: Iterable[Collector]) -> Iterator[str]:
    """Families that no collector gives: the way of asking knows them (which members answer, the clock)."""
    given = {family for one in collectors for family in one.families}
    families = [one for one in OF_SOURCES - given if one.name.startswith(f"closewatch_{kind}_")]
    if families:
        yield f"### {kind}: the connection\n"
        yield "Known from asking, without a question of their own.\n"
        yield from _families(sorted(families, key=lambda one: one.name))


def _families(families: Iterable[Family]) -> Iterator[str]:
    return table(
        ("name", "type", "labels", "meaning"),
        ((f"`{one.name}`", one.type, ", ".join(f"`{label}`" for label in one.labels), one.help) for one in families),
    )


def _lane(collector: Collector) -> str:
    return f"slow, {collector.every / 60:g} min" if collector.every else "fast"


def _prose(docstring: str) -> list[str]:
    """The docstring's paragraphs without the sample output, which is indented."""
    paragraphs = [part for part in re.split(r"\n\s*\n", docstring.strip()) if not part.startswith("    ")]
    return [_text(part) for part in paragraphs]


def _text(docstring: str | None) -> str:
    return cell(" ".join((docstring or "").split()))
