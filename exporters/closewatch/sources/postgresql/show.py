"""A question to PgBouncer's console. Pure data: collectors declare it, `sources.pgbouncer` asks it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Show:
    """One command, such as `SHOW POOLS`; its columns change by version, so rows are read by name.

    `since` is the lowest version number that has it (11900 is 1.19.0). An `optional` command that the version lacks is
    absent from the answer; any other makes its collector fail.
    """

    command: str
    since: int = 0
    optional: bool = False
