"""Rows in, samples out: what the unit tests of the collectors share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.targets import Target
from closewatch.postgresql.settings import PostgresqlTarget

SETTINGS = {
    "kind": "postgresql",
    "name": "pg-07",
    "hosts": ["10.0.0.1", "10.0.0.2"],
    "user": "closewatch",
    "discover": [{"databases": "odoo_.*"}],
}


def target(**settings: Any) -> Target:
    """A server with these settings besides SETTINGS."""
    whole = PostgresqlTarget.model_validate({**SETTINGS, **settings})
    return Target.of("postgresql", "pg-07", environment="test", cell="pg-07", settings=whole)


TARGET = target()
PRIMARY = "10.0.0.1:5432"


def answer(*rows: Mapping[str, Any], member: str = PRIMARY, at: float = 0.0) -> Answer:
    """What a member answers: these rows, so many seconds after some time."""
    return Answer({"main": rows}, 170_000, 1_700_000_000.0 + at, member)


def read(
    collector: Collector,
    *rows: Mapping[str, Any],
    memory: Memory | None = None,
    member: str = PRIMARY,
    at: float = 0.0,
    on: Target | None = None,
) -> list[str]:
    """The collector's samples of these rows as `lines_of` shows them."""
    return lines_of(collector, answer(*rows, member=member, at=at), memory=memory, on=on)


def lines_of(
    collector: Collector, answer: Answer, *, memory: Memory | None = None, on: Target | None = None
) -> list[str]:
    """The collector's samples as lines of text, as a user sees them but for the labels of the target.

    Checks what the scrape checks: only declared families, and no series twice.
    """
    remembered = collector.memory() if memory is None else memory
    lines = []
    for sample in collector.read(answer, on or TARGET, remembered):
        assert sample.family in collector.families
        if sample.value is not None:
            labels = ",".join(f'{k}="{v}"' for k, v in zip(sample.family.labels, sample.labels, strict=True))
            lines.append(f"{sample.family.name}{{{labels}}} {sample.value:.15g}".replace("{}", ""))
    names = [line.rpartition(" ")[0] for line in lines]
    assert len(names) == len(set(names)), names
    return lines


def value(lines: list[str], start: str) -> float:
    """The value of the only line that begins so."""
    (line,) = [line for line in lines if line.startswith(start)]
    return float(line.rpartition(" ")[2])
