"""A question to Redis or Valkey, with what it needs of the server. Pure data: collectors declare it.

Two collectors that need the same command (most need INFO) share its one answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shape = Literal["info", "pairs", "user", "slow", "events", "denied"]
"""How an answer becomes rows: see `sources.redisrows`."""

Words = tuple[str, ...]
PLACE = "place"
"""The table that every answer has besides what was asked: one row.

`shard` is the member's part of a cluster; `speaks` says whether it is the master that speaks for it, or for the whole
deployment: where two say that they are, one does.
"""


@dataclass(frozen=True, slots=True)
class Command:
    """One command, or several whose rows belong together.

    A word `{name}` is filled in from the target's settings; where they don't have it, nothing is asked. `since` is the
    lowest server version number (70000), `until` the first that doesn't have the command any more; Valkey counts as
    the Redis that it says it is compatible with. An `optional` command that the server doesn't know, or that was left
    out on purpose, is absent from the answer; any other failure of it is the collector's, but leaves the rest of the
    answer.
    """

    lines: tuple[Words, ...]
    shape: Shape
    since: int = 0
    until: int = 1_000_000
    optional: bool = False

    def fits(self, version: int) -> bool:
        """Whether a server of this version knows the command."""
        return self.since <= version < self.until

    def filled(self, names: dict[str, str]) -> tuple[Words, ...] | None:
        """The lines with names filled in; None where one is not given."""
        wanted = {word[1:-1] for line in self.lines for word in line if word.startswith("{")}
        if not wanted <= names.keys():
            return None
        return tuple(tuple(names[word[1:-1]] if word.startswith("{") else word for word in line) for line in self.lines)


def one(*words: str, shape: Shape, since: int = 0, until: int = 1_000_000, optional: bool = False) -> Command:
    """A single command of these words."""
    return Command((words,), shape, since, until, optional)


INFO: tuple[Command, ...] = (
    Command(
        (("INFO", "server", "clients", "memory", "persistence", "stats", "replication", "keyspace"),),
        "info",
        since=70_000,
    ),
    Command((("INFO",),), "info"),  # before 7 it takes one section, or says the usual ones
)
"""What nearly every collector reads, and what tells the member's role: always asked, once."""
