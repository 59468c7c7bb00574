"""Would a restart bring the data back, and does the server still take writes?

    closewatch_redis_persistence_enabled{member="10.0.0.1:6379"} 1
    closewatch_redis_rdb_last_save_ok{member="10.0.0.1:6379"} 1
    closewatch_redis_writes_refused{reason="snapshot"} 0

Writes are refused (MISCONF, NOREPLICAS, OOM) while the last snapshot or a write of the append-only file failed, too few
replicas follow, or the memory's limit is reached under noeviction. The server says so only to who writes, so it is
worked out here as the server does it.

Rights: info, config|get (without: no answer about snapshots on and replicas needed). Cost: none to speak of.
Source: INFO persistence, memory, replication; CONFIG GET save, stop-writes-on-bgsave-error, min-replicas-to-write.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory, On, Row
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.redis.configuration import CONFIG
from closewatch.redis.reading import is_word, number, shard, speaks
from closewatch.sources.redis.command import INFO

ENABLED = Gauge(
    "closewatch_redis_persistence_enabled",
    "Whether snapshots or the append-only file are on (1), or a restart loses everything (0).",
    ("member",),
)
RDB_OK = Gauge(
    "closewatch_redis_rdb_last_save_ok", "Whether the last snapshot succeeded (1) or failed (0).", ("member",)
)
RDB_LAST = Gauge(
    "closewatch_redis_rdb_last_save_timestamp_seconds",
    "When the data was last saved as a snapshot; the server's start where it never was.",
    ("member",),
)
CHANGES = Gauge(
    "closewatch_redis_rdb_changes_since_last_save", "Changes that the newest snapshot doesn't hold.", ("member",)
)
AOF_OK = Gauge(
    "closewatch_redis_aof_last_write_ok",
    "Whether the last write of the append-only file succeeded (1) or failed (0); absent where it is off.",
    ("member",),
)
AOF_REWRITE_OK = Gauge(
    "closewatch_redis_aof_last_rewrite_ok",
    "Whether the append-only file was last rewritten with success (1) or not (0); absent where it is off.",
    ("member",),
)
REFUSED = Gauge(
    "closewatch_redis_writes_refused",
    "Whether the master refuses writes (1) or not (0), by why.",
    ("reason", "shard"),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """Each member's persistence; refused writes of masters."""
    row, settings, member = answer.one(), answer.one("config"), answer.member
    aof = row.get("aof_enabled") == "1"
    snapshots = None if "save" not in settings else settings["save"] != ""
    yield ENABLED(True if aof else snapshots, member=member)
    yield RDB_OK(is_word(row, "rdb_last_bgsave_status", "ok"), member=member)
    yield RDB_LAST(number(row, "rdb_last_save_time"), member=member)
    yield CHANGES(number(row, "rdb_changes_since_last_save"), member=member)
    if aof:
        yield AOF_OK(is_word(row, "aof_last_write_status", "ok"), member=member)
        yield AOF_REWRITE_OK(is_word(row, "aof_last_bgrewrite_status", "ok"), member=member)
    if speaks(answer):
        for reason, refused in (
            ("snapshot", _by_snapshot(row, settings)),
            ("append_only_file", _by_append_only_file(row)),
            ("replicas", _by_replicas(row, settings)),
            ("memory", _by_memory(row)),
        ):
            yield REFUSED(refused, reason=reason, shard=shard(answer))


def _by_snapshot(row: Row, settings: Row) -> bool | None:
    if row.get("rdb_last_bgsave_status") == "ok":
        return False
    if "save" not in settings or "stop-writes-on-bgsave-error" not in settings:
        return None
    return bool(settings["save"] != "" and settings["stop-writes-on-bgsave-error"] == "yes")


def _by_append_only_file(row: Row) -> bool | None:
    failed = is_word(row, "aof_last_write_status", "err")
    return failed and row.get("aof_enabled") == "1"


def _by_replicas(row: Row, settings: Row) -> bool | None:
    """INFO tells the number of good replicas only where one is needed."""
    good = number(row, "min_slaves_good_slaves")
    needed = number(settings, "min-replicas-to-write")
    if needed is None:
        return False if good is None and "role" in row else None
    return needed > 0 and good is not None and good < needed


def _by_memory(row: Row) -> bool | None:
    used, limit = number(row, "used_memory"), number(row, "maxmemory")
    if used is None or limit is None or "maxmemory_policy" not in row:
        return None
    counted = used - (number(row, "mem_not_counted_for_evict") or 0)
    return limit > 0 and row["maxmemory_policy"] == "noeviction" and counted > limit


PERSISTENCE = Collector(
    "persistence",
    ask={"main": INFO, "config": CONFIG},
    read=read,
    families=(ENABLED, RDB_OK, RDB_LAST, CHANGES, AOF_OK, AOF_REWRITE_OK, REFUSED),
    on=On.EACH,
)
