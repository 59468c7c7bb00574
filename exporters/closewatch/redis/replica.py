"""Does the replica still hear its master?

    closewatch_redis_replication_link_up{member="10.0.0.2:6379"} 1
    closewatch_redis_replication_last_io_timestamp_seconds{member="10.0.0.2:6379"} 1.7324e+09

A master that is alive sends something every ten seconds (repl-ping-replica-period). While the link is down a replica
answers with old data, or not at all (replica-serve-stale-data no).

Rights: info. Cost: none to speak of. Source: INFO replication.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory, On
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.redis.reading import is_word, number
from closewatch.sources.redis.command import INFO

LINK_UP = Gauge(
    "closewatch_redis_replication_link_up",
    "Whether the replica is connected to its master (1) or not (0).",
    ("member",),
)
LAST_IO = Gauge(
    "closewatch_redis_replication_last_io_timestamp_seconds",
    "When the replica last heard its master; absent while the link is down.",
    ("member",),
)
DOWN_SINCE = Gauge(
    "closewatch_redis_replication_down_timestamp_seconds",
    "Since when the replica's link is down; absent while it is up, and where it never was.",
    ("member",),
)
SYNCING = Gauge(
    "closewatch_redis_replication_full_sync",
    "Whether the replica is getting a whole copy of the data (1) or not (0).",
    ("member",),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The replica's own view of its link."""
    row, member = answer.one(), answer.member
    yield LINK_UP(is_word(row, "master_link_status", "up"), member=member)
    silence = number(row, "master_last_io_seconds_ago")
    if silence is not None and silence >= 0:
        yield LAST_IO(round(answer.asked_at - silence), member=member)
    down = number(row, "master_link_down_since_seconds")
    if down is not None and down >= 0:
        yield DOWN_SINCE(round(answer.asked_at - down), member=member)
    yield SYNCING(number(row, "master_sync_in_progress"), member=member)


REPLICA = Collector(
    "replica",
    ask={"main": INFO},
    read=read,
    families=(LINK_UP, LAST_IO, DOWN_SINCE, SYNCING),
    on=On.STANDBY,
)
