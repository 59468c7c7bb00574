"""The shape of a collector: what it asks, and a pure function from the answer to samples.

Asking and reading are apart. A collector does no I/O: plumbing asks (see `sources`), many collectors in one round trip,
and gives each its own `Answer` or its own `Reason`. So a test of a collector is rows in, samples out.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from closewatch.core.families import Family, Sample
from closewatch.core.reasons import Reason, Unavailable

if TYPE_CHECKING:
    from closewatch.core.targets import Target

__all__ = ["Answer", "Collector", "Memory", "On", "Read", "Reason", "Row", "Unavailable"]

Row = Mapping[str, Any]
Memory = MutableMapping[str, Any]
"""What a collector remembers of one target between two scrapes: rates, sticky top-N. Passed in, never global."""


class On(enum.Enum):
    """Which members of a cluster a collector asks."""

    PRIMARY = "primary"
    STANDBY = "standby"
    EACH = "each"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one member answered to one collector.

    `tables` holds the rows of each named query that could be asked (an optional one may be missing); values are bool,
    int, float, str or None. `version` is the server's version number (150018), `asked_at` our clock in Unix seconds
    when the question was sent, `member` the host:port that answered. `columns` are the readable "table.column" names,
    where probed.
    """

    tables: Mapping[str, Sequence[Row]]
    version: int = 0
    asked_at: float = 0.0
    member: str = ""
    columns: frozenset[str] = frozenset()

    def __contains__(self, query: str) -> bool:
        return query in self.tables

    def rows(self, query: str = "main") -> Sequence[Row]:
        """The rows of a query; none where an optional query could not be asked."""
        return self.tables.get(query, ())

    def one(self, query: str = "main") -> Row:
        """The only row of a query; an empty mapping where it has none. Raises ValueError when there are more."""
        rows = self.rows(query)
        if len(rows) > 1:
            raise ValueError(f"query {query!r} gave {len(rows)} rows, expected one")
        return rows[0] if rows else {}


Read = Callable[[Answer, "Target", Memory], Iterable[Sample]]


@dataclass(frozen=True, slots=True)
class Collector:
    """A named question to a kind of target, and how to read its answer.

    `ask` maps the name of a query to the query, or to alternatives of which the first that fits is taken; its type
    belongs to the source. `applies` names what must exist for the collector to make sense (a table of an optional
    module): where it doesn't, there are no series and no failure. `every` = 0 is the fast lane (each scrape); else
    the slow lane, in seconds. `budget` is the statement limit in seconds. `recorded` names a scheduled check: nothing
    is asked then, and the answer is its newest record (see `core.recorded`).
    """

    name: str
    ask: Mapping[str, Any]
    read: Read
    families: tuple[Family, ...]
    on: On = On.PRIMARY
    every: float = 0.0
    budget: float = 0.2
    applies: str = ""
    memory: Callable[[], Memory] = field(default=dict)
    recorded: str = ""
