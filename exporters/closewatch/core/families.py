"""Metric families: what closewatch exports, declared before anything is asked.

A family is a name, a sentence of help, a type and its own labels. The labels of the target (`environment`, `cell`,
`tenant`, `target`) are added by the scrape; a collector never writes them. Calling a family gives a sample:

    WAITING = Gauge("closewatch_postgresql_wal_archive_waiting_segments", "Complete WAL segments not archived yet.")
    yield WAITING(row["waiting"])      # None gives no sample: what is unknown is never 0
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

Type = Literal["gauge", "counter"]
Number = float | int | bool | None

_NAME = re.compile(r"closewatch_[a-z0-9_]+")
_LABEL = re.compile(r"[a-z][a-z0-9_]*")
TARGET_LABELS = ("environment", "cell", "tenant", "target")


class Sample(NamedTuple):
    """One value of a family. `labels` are the values of `family.labels`, in that order; `value` None is dropped."""

    family: Family
    value: float | None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Family:
    """A declared metric family. Raises ValueError for a name that Prometheus' conventions refuse."""

    name: str
    help: str
    type: Type
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"metric name {self.name!r}: expected closewatch_ and [a-z0-9_]")
        if (self.type == "counter") != self.name.endswith("_total"):
            raise ValueError(f"metric {self.name}: a counter, and only a counter, ends in _total")
        for label in self.labels:
            if not _LABEL.fullmatch(label) or label in TARGET_LABELS:
                raise ValueError(f"metric {self.name}: label {label!r} is not allowed")

    def __call__(self, value: Number, **labels: str | None) -> Sample:
        """A sample; every declared label must be given, None stands for the empty value. Raises TypeError else."""
        if set(labels) != set(self.labels):
            raise TypeError(f"{self.name} takes the labels {self.labels}, not {tuple(labels)}")
        number = None if value is None else float(value)
        return Sample(self, number, tuple(labels[label] or "" for label in self.labels))


def Gauge(name: str, help: str, labels: tuple[str, ...] = ()) -> Family:  # noqa: N802 - reads as a type
    """A value that goes up and down."""
    return Family(name, help, "gauge", labels)


def Counter(name: str, help: str, labels: tuple[str, ...] = ()) -> Family:  # noqa: N802 - reads as a type
    """A value that only grows, until its source is reset."""
    return Family(name, help, "counter", labels)
