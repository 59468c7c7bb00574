"""How much would be lost if the primary died now, and is every standby there?

    closewatch_postgresql_replication_lag_bytes{standby="pg-07-b"} 16777
    closewatch_postgresql_replication_lag_seconds{standby="pg-07-b"} 0.4
    closewatch_postgresql_standbys_streaming 1

Seconds: 0 where a streaming standby has replayed all that the primary has written, however long ago that was. Else
the replay_lag that the server measures; but it measures on the standby's replies, and keeps its last figure when they
cease. So WAL that was there at an earlier scrape and still isn't replayed makes the lag at least as old as that
scrape. What is neither measured nor known by an earlier scrape is absent: a NULL is not 0.

A standby is who reports what it has replayed. Base backups, pg_receivewal and subscribers to logical replication
don't count; their slots are watched. Two standbys of the same name get their addresses appended.

Rights: pg_monitor. Cost: shared memory only. Source: pg_stat_replication, pg_current_wal_lsn(), pg_replication_slots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from closewatch.core.collectors import Answer, Collector, Memory, Row
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.postgresql.rights import readable
from closewatch.sources.postgresql.query import Query

LAG_BYTES = Gauge(
    "closewatch_postgresql_replication_lag_bytes",
    "WAL that the primary has written and the standby has not replayed.",
    ("standby",),
)
LAG_SECONDS = Gauge(
    "closewatch_postgresql_replication_lag_seconds",
    "How long ago the primary wrote what the standby replays now; 0 when it has replayed all, absent when not known.",
    ("standby",),
)
STREAMING = Gauge(
    "closewatch_postgresql_replication_streaming",
    "Whether the standby streams (1), or is still catching up (0).",
    ("standby",),
)
STANDBYS_STREAMING = Gauge("closewatch_postgresql_standbys_streaming", "Standbys that stream from the primary.")
STANDBYS_EXPECTED = Gauge(
    "closewatch_postgresql_standbys_expected", "Streaming standbys that the configuration expects of the cluster."
)

# The LSN is read first, in a subquery that the planner can't move behind the standbys' rows.
QUERY = Query("""
SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS readable,
       extract(epoch FROM pg_catalog.clock_timestamp())::float8 AS now,
       pg_catalog.pg_wal_lsn_diff(server.lsn, '0/0')::float8 AS written,
       standby.pid, standby.application_name AS name, pg_catalog.host(standby.client_addr) AS address, standby.state,
       pg_catalog.pg_wal_lsn_diff(standby.replay_lsn, '0/0')::float8 AS replayed,
       extract(epoch FROM standby.replay_lag)::float8 AS measured
  FROM (SELECT pg_catalog.pg_current_wal_lsn() AS lsn) AS server
  LEFT JOIN pg_catalog.pg_stat_replication AS standby
    ON standby.replay_lsn IS NOT NULL
   AND standby.pid NOT IN (SELECT active_pid FROM pg_catalog.pg_replication_slots
                            WHERE slot_type = 'logical' AND active_pid IS NOT NULL)
 ORDER BY standby.application_name, standby.client_addr, standby.backend_start, standby.pid
 LIMIT 100
""")


class _Mark(NamedTuple):
    """What the primary had written at a time, by the primary's clock."""

    at: float
    written: float


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """A set of series for each standby, and how many there are against how many there should be."""
    standbys = [row for row in readable(answer) if row["pid"] is not None]
    yield STANDBYS_EXPECTED(target.settings.standbys)
    yield STANDBYS_STREAMING(sum(row["state"] == "streaming" for row in standbys))
    before: dict[str, _Mark] = memory.get("marks", {}) if memory.get("member") == answer.member else {}
    marks: dict[str, _Mark] = {}
    for name, row in zip(_names(standbys), standbys, strict=True):
        marks[name] = _mark(row, before.get(name))
        yield LAG_BYTES(max(0.0, row["written"] - row["replayed"]), standby=name)
        yield LAG_SECONDS(_seconds(row, marks[name]), standby=name)
        yield STREAMING(row["state"] == "streaming", standby=name)
    memory.update(member=answer.member, marks=marks)


def _names(standbys: Sequence[Row]) -> list[str]:
    """A name for each, no two the same: who may replicate chooses its name freely."""
    shared = Counter(row["name"] for row in standbys)
    names: list[str] = []
    for row in standbys:
        name = row["name"]
        if not name or shared[name] > 1:
            name = f"{name} {row['address'] or 'local'}".lstrip()
        number, unique = 1, name
        while unique in names:
            number += 1
            unique = f"{name} #{number}"
        names.append(unique)
    return names


def _mark(row: Row, before: _Mark | None) -> _Mark:
    """The mark that the standby has not reached yet; a new one when it has, or when the primary's WAL was set back."""
    if before is not None and row["replayed"] < before.written <= row["written"]:
        return before
    return _Mark(row["now"], row["written"])


def _seconds(row: Row, mark: _Mark) -> float | None:
    if row["state"] == "streaming" and row["replayed"] >= row["written"]:
        return 0.0
    measured: float | None = row["measured"]
    outstanding = row["now"] - mark.at
    return max(outstanding, measured or 0.0) if outstanding > 0 else measured


REPLICATION = Collector(
    "replication",
    ask={"main": QUERY},
    read=read,
    families=(LAG_BYTES, LAG_SECONDS, STREAMING, STANDBYS_STREAMING, STANDBYS_EXPECTED),
)
