"""Rows in, samples out: what the unit tests of Odoo's collectors share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.targets import Target

TARGET = Target.of("odoo", "acme", environment="test", cell="pg-07", tenant="acme")
PREFIX = "closewatch_odoo_"


def read(
    collector: Collector,
    *rows: Mapping[str, Any],
    memory: Memory | None = None,
    tables: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> list[str]:
    """The collector's samples as lines of text, less the prefix of their names; `tables` holds more named answers.

    Checks what the scrape checks: only declared families, and no series twice.
    """
    remembered = collector.memory() if memory is None else memory
    lines = []
    for sample in collector.read(
        Answer({"main": rows, **(tables or {})}, 180_000, 1_800_000_000.0), TARGET, remembered
    ):
        assert sample.family in collector.families
        if sample.value is not None:
            labels = ",".join(f"{k}={v!r}" for k, v in zip(sample.family.labels, sample.labels, strict=True))
            name = sample.family.name.removeprefix(PREFIX)
            lines.append(f"{name}{{{labels}}} {sample.value:.15g}".replace("{}", ""))
    names = [line.rpartition(" ")[0] for line in lines]
    assert len(names) == len(set(names)), names
    return lines
