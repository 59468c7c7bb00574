"""Was a database paused or disabled, and forgotten?

    closewatch_pgbouncer_paused_databases 1
    closewatch_pgbouncer_disabled_databases 0

PAUSE is for the minute in which the server behind is restarted: its clients wait until RESUME. DISABLE refuses new
ones until ENABLE. A PAUSE (or SUSPEND) of all is not in the list of databases: from 1.19 on it is asked for, and
counts as all of them; before, only the clients that wait tell of it.

Rights: stats_users. Cost: memory only. Source: SHOW DATABASES, SHOW STATE.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.pgbouncer.words import CONSOLE, number
from closewatch.sources.postgresql.show import Show

PAUSED = Gauge("closewatch_pgbouncer_paused_databases", "Databases that are paused: their clients wait for RESUME.")
DISABLED = Gauge(
    "closewatch_pgbouncer_disabled_databases", "Databases that are disabled: new clients are refused until ENABLE."
)

STATE_SINCE = 11_900
STOPPED = {"paused", "suspended"}


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """A row a database with paused and disabled (0 or 1); the states as rows (key, yes or no)."""
    rows = [row for row in answer.rows() if row["name"] != CONSOLE]
    stopped = any(
        str(row.get("key", "")).lower() in STOPPED and str(row.get("value", "")).lower() == "yes"
        for row in answer.rows("state")
    )
    paused = sum(bool(number(row["paused"])) for row in rows)
    yield PAUSED(max(1, len(rows)) if stopped else paused)
    yield DISABLED(sum(bool(number(row["disabled"])) for row in rows))


DATABASES = Collector(
    "databases",
    ask={"main": Show("SHOW DATABASES"), "state": Show("SHOW STATE", since=STATE_SINCE, optional=True)},
    read=read,
    families=(PAUSED, DISABLED),
)
