"""Does the standby still hear its primary, and does it replay what it hears?

    closewatch_postgresql_replication_link_up{member="10.0.0.2:5432"} 1
    closewatch_postgresql_standby_replay_lag_seconds{member="10.0.0.2:5432"} 0

The lag is 0 while the link is alive and all is replayed that arrived or was announced. Else it is the age of the last
commit that was replayed, or of the last scrape at which nothing was missing, if that is later: on a quiet primary the
last commit may be hours old. A cut cable shows as silence first: `replication_last_message_timestamp_seconds` stops;
on a quiet primary a message comes every half wal_receiver_timeout, 30 s by default. Where that timeout is 0 nobody
asks, and after 60 s of silence the lag is unknown, not 0. A standby that is fed from an archive alone has no link;
its lag is the last commit's age.

Rights: pg_monitor. Cost: shared memory only. Source: pg_stat_wal_receiver and the functions of recovery.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory, On, Row
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.postgresql.rights import readable
from closewatch.sources.postgresql.query import Query

LINK_UP = Gauge(
    "closewatch_postgresql_replication_link_up",
    "Whether the standby streams from its primary (1) or not (0); absent where it is fed from an archive alone.",
    ("member",),
)
LAST_MESSAGE = Gauge(
    "closewatch_postgresql_replication_last_message_timestamp_seconds",
    "When the standby last heard its primary, by the standby's clock; absent while there is no link.",
    ("member",),
)
PAUSED = Gauge(
    "closewatch_postgresql_replication_replay_paused",
    "Whether the standby was told to pause its replay, or had to (1), or goes on (0).",
    ("member",),
)
UNREPLAYED = Gauge(
    "closewatch_postgresql_replication_unreplayed_bytes",
    "WAL that the standby has received and not replayed.",
    ("member",),
)
REPLAY_LAG = Gauge(
    "closewatch_postgresql_standby_replay_lag_seconds",
    "How old the data on the standby is: 0 while the link is alive and nothing is missing; absent when not known.",
    ("member",),
)

SILENCE = 60.0
"""Seconds of silence after which a link whose end nobody watches (wal_receiver_timeout 0) is neither alive nor dead."""

# Received before replayed: what arrives in between must not look like a lag. primary_conninfo (a password in it) stays.
QUERY = Query("""
SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS readable,
       extract(epoch FROM pg_catalog.clock_timestamp())::float8 AS now,
       receiver.status, extract(epoch FROM receiver.last_msg_receipt_time)::float8 AS last_message,
       pg_catalog.pg_wal_lsn_diff(receiver.latest_end_lsn, '0/0')::float8 AS announced,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_receive_lsn(), '0/0')::float8 AS received,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0')::float8 AS replayed,
       extract(epoch FROM pg_catalog.pg_last_xact_replay_timestamp())::float8 AS last_commit,
       pg_catalog.pg_is_wal_replay_paused() AS paused,
       pg_catalog.current_setting('primary_conninfo') <> '' AS streams,
       extract(epoch FROM pg_catalog.current_setting('wal_receiver_timeout')::interval)::float8 AS timeout
  FROM (SELECT) AS standby LEFT JOIN pg_catalog.pg_stat_wal_receiver AS receiver ON true
""")


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The standby's own view of its link and its replay."""
    (row,) = readable(answer)
    member = answer.member
    if row["streams"] or row["status"] is not None:
        yield LINK_UP(row["status"] == "streaming", member=member)
        yield LAST_MESSAGE(row["last_message"], member=member)
    yield PAUSED(row["paused"], member=member)
    if row["received"] is not None and row["replayed"] is not None:
        yield UNREPLAYED(max(0.0, row["received"] - row["replayed"]), member=member)
    yield REPLAY_LAG(_lag(row, member, memory), member=member)


def _lag(row: Row, member: str, memory: Memory) -> float | None:
    if row["status"] == "streaming" and _all_replayed(row):
        silence = row["now"] - (row["last_message"] or 0.0)
        if silence <= (row["timeout"] or SILENCE):
            memory[member] = row["now"]
            return 0.0
        if not row["timeout"]:
            return None
    known = [time for time in (row["last_commit"], memory.get(member)) if time is not None]
    return max(0.0, row["now"] - max(known)) if known else None


def _all_replayed(row: Row) -> bool:
    replayed = row["replayed"]
    return replayed is not None and replayed >= max(row["received"] or 0.0, row["announced"] or 0.0)


RECEIVER = Collector(
    "receiver",
    ask={"main": QUERY},
    read=read,
    families=(LINK_UP, LAST_MESSAGE, PAUSED, UNREPLAYED, REPLAY_LAG),
    on=On.STANDBY,
)
