"""What an origin is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from closewatch.restores.scratch import Scratch
    from closewatch.restores.server import Server


class Window(NamedTuple):
    """The moments (Unix seconds) that can be restored; None where it isn't known."""

    since: float | None
    until: float | None


class Moment(NamedTuple):
    """To which point a physical backup recovers: a time in Unix seconds, or the end of the WAL where it is None."""

    time: float | None = None


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup. `done` is when it was completed, in Unix seconds; `size` is that of what it restores to, in bytes.

    `major` is the PostgreSQL version that it needs and `database` the one that it says it holds, where it tells;
    `about` are further facts for the record (tool, type, label): text, integers, booleans.
    """

    id: str
    done: float
    size: int | None = None
    major: int | None = None
    database: str | None = None
    about: Mapping[str, str | int | bool] = field(default_factory=dict)
    clock: float | None = None
    """When a dump was begun, by its own words: local time of a zone that it doesn't name, as if it were UTC."""


class Origin(Protocol):
    """What both sorts have. Every call may take long; `scratch` runs the programs and knows the deadline."""

    name: str
    """Of a closed set, such as pgbackrest."""

    def backups(self, scratch: Scratch) -> Sequence[Backup]:
        """The good ones, the newest first. Raises Failed."""

    def window(self, scratch: Scratch) -> Window | None:
        """The point-in-time window; None where the origin knows no WAL. Raises Failed."""


class Physical(Origin, Protocol):
    """Copies of a whole cluster."""

    def newest_wal(self, scratch: Scratch) -> str | None:
        """The name of the newest WAL segment in the archive, where it can be told. Raises Failed."""

    def restore(self, backup: Backup, to: Moment, scratch: Scratch) -> Mapping[str, str]:
        """Fill `scratch.data`; gives lines for postgresql.conf that recovery needs (restore_command, targets).

        Raises Failed.
        """


class Logical(Origin, Protocol):
    """Dumps of one database."""

    def fetch(self, backup: Backup, scratch: Scratch) -> Backup:
        """Bring the file near, and say what only its content tells (version, database). Raises Failed."""

    def load(self, backup: Backup, server: Server, database: str, scratch: Scratch) -> None:
        """Load into an empty database of a running server. Raises Failed."""
