"""Does somebody who is gone make the server keep its WAL until the disk is full; has a slot been lost?

    closewatch_postgresql_slot_retained_bytes{slot="standby_2"} 8.1e+09
    closewatch_postgresql_slot_status{slot="standby_2",status="extended"} 1

Temporary slots are left out: they end with their session, and base backups give each a new name. What the server
calls by a word that is not known here is "unknown", never well.

Rights: none. Cost: shared memory only. Source: pg_replication_slots.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.postgresql.query import Query

RETAINED = Gauge(
    "closewatch_postgresql_slot_retained_bytes",
    "WAL that the primary keeps for the slot; absent for a slot that keeps none because it is lost or was never used.",
    ("slot",),
)
ACTIVE = Gauge(
    "closewatch_postgresql_slot_active", "Whether somebody is connected to the slot (1) or not (0).", ("slot",)
)
STATUS = Gauge(
    "closewatch_postgresql_slot_status",
    "What became of the slot's WAL: reserved, extended, unreserved (soon lost), lost or unknown; 1 for what it is now.",
    ("slot", "status"),
)
SAFE = Gauge(
    "closewatch_postgresql_slot_safe_bytes",
    "WAL that can still be written before the slot is in danger of being lost; absent where no limit is set.",
    ("slot",),
)
INVALIDATED = Gauge(
    "closewatch_postgresql_slot_invalidated",
    "Why the slot is of no use any more: wal_removed, rows_removed, wal_level_insufficient, idle_timeout or unknown.",
    ("slot", "reason"),
)
INACTIVE_SINCE = Gauge(
    "closewatch_postgresql_slot_inactive_since_timestamp_seconds",
    "When the slot's last session ended; absent while it is active, and before version 17.",
    ("slot",),
)

STATUSES = frozenset({"reserved", "extended", "unreserved", "lost"})
REASONS = frozenset({"wal_removed", "rows_removed", "wal_level_insufficient", "idle_timeout"})

# Lost slots have no restart_lsn, others come by what they keep: past the 100th none is worse than those shown.
SQL = """
SELECT slot_name::text AS slot, active, wal_status AS status, safe_wal_size::float8 AS safe,
       CASE WHEN wal_status <> 'lost'
            THEN pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn)::float8 END AS retained,
       {reason} AS reason, {inactive_since} AS inactive_since
  FROM pg_catalog.pg_replication_slots
 WHERE NOT temporary
 ORDER BY restart_lsn NULLS FIRST, slot_name
 LIMIT 100
"""
REMOVED = "WHEN wal_status = 'lost' THEN 'wal_removed' END"
QUERIES = (
    Query(
        SQL.format(reason="invalidation_reason", inactive_since="extract(epoch FROM inactive_since)::float8"),
        since=170_000,
    ),
    # 16 says that rows or the WAL level were in conflict, not which of them.
    Query(
        SQL.format(reason=f"CASE WHEN conflicting THEN 'conflicting' {REMOVED}", inactive_since="NULL::float8"),
        since=160_000,
    ),
    Query(SQL.format(reason=f"CASE {REMOVED}", inactive_since="NULL::float8")),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """A set of series for each slot; a word that is not known is `unknown`."""
    for row in answer.rows():
        slot = row["slot"]
        yield RETAINED(row["retained"], slot=slot)
        yield ACTIVE(row["active"], slot=slot)
        if row["status"] is not None:
            yield STATUS(1, slot=slot, status=row["status"] if row["status"] in STATUSES else "unknown")
        yield SAFE(row["safe"], slot=slot)
        if row["reason"] is not None:
            yield INVALIDATED(1, slot=slot, reason=row["reason"] if row["reason"] in REASONS else "unknown")
        yield INACTIVE_SINCE(row["inactive_since"], slot=slot)


SLOTS = Collector(
    "slots",
    ask={"main": QUERIES},
    read=read,
    families=(RETAINED, ACTIVE, STATUS, SAFE, INVALIDATED, INACTIVE_SINCE),
)
