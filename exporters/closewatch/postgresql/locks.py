"""Who waits for whom, and for how long?

    closewatch_postgresql_blocked_sessions 42
    closewatch_postgresql_blocking_sessions 1

Blocked is who waits for a lock of the lock manager: a row, a table, an advisory lock. Parallel workers count as their
leader. Blocking is who is waited for and does not wait itself: the one to look at, whatever the length of the queue
behind it. All prepared transactions together count as one. closewatch's own sessions (our role with our
application_name) are no user's: they give up after 100 ms.

Rights: pg_monitor. Cost: one pass over the sessions. Only where some wait, the lock table is read once, and the lock
manager is asked who blocks, for the 100 longest running at most. Source: pg_stat_activity, pg_locks,
pg_blocking_pids(), pg_stat_database.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Counter, Gauge, Sample
from closewatch.core.targets import Target
from closewatch.postgresql.counting import total
from closewatch.postgresql.rights import readable
from closewatch.sources.postgresql.query import Query

BLOCKED = Gauge("closewatch_postgresql_blocked_sessions", "Sessions that wait for a lock.")
BLOCKING = Gauge(
    "closewatch_postgresql_blocking_sessions",
    "Sessions that others wait for and that don't wait themselves: where the queues begin.",
)
OLDEST = Gauge(
    "closewatch_postgresql_blocked_oldest_start_timestamp_seconds",
    "Since when the session waits that has waited longest (before version 14: its statement runs); absent if none.",
)
DEADLOCKS = Counter("closewatch_postgresql_deadlocks_total", "Deadlocks that the primary has ended, in all databases.")

# CASE keeps pg_locks from being read while nobody waits. waitstart is empty for the first moment of a wait.
SQL = """
WITH waiter AS MATERIALIZED (
    SELECT pid, coalesce(leader_pid, pid) AS leader, greatest(query_start, state_change) AS since
      FROM pg_catalog.pg_stat_activity
     WHERE wait_event_type = 'Lock' AND pid <> pg_catalog.pg_backend_pid()
       AND (application_name <> pg_catalog.current_setting('application_name')
            OR usesysid IS DISTINCT FROM (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user))
), asked AS (
    SELECT leader, pg_catalog.pg_blocking_pids(leader) AS blockers
      FROM (SELECT leader FROM waiter GROUP BY leader ORDER BY min(since) LIMIT 100) AS longest
), root AS (
    SELECT DISTINCT blocker
      FROM asked CROSS JOIN pg_catalog.unnest(blockers) AS blocker
     WHERE blocker NOT IN (SELECT leader FROM waiter)
)
SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS readable,
       (SELECT count(DISTINCT leader) FROM waiter) AS blocked,
       (SELECT count(*) FROM root) AS blocking,
       CASE WHEN EXISTS (SELECT FROM waiter) THEN extract(epoch FROM {since})::float8 END AS oldest,
       (SELECT sum(deadlocks)::float8 FROM pg_catalog.pg_stat_database) AS deadlocks
"""
STATEMENT = "(SELECT min(since) FROM waiter)"
WAITSTART = """coalesce(
           (SELECT min(waitstart) FROM pg_catalog.pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM waiter)),
           (SELECT min(since) FROM waiter))"""
QUERIES = (
    Query(SQL.format(since=WAITSTART), since=140_000),
    Query(SQL.format(since=STATEMENT)),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """How many wait, for how many, and since when."""
    (row,) = readable(answer)
    yield BLOCKED(row["blocked"])
    yield BLOCKING(row["blocking"])
    yield OLDEST(row["oldest"])
    yield DEADLOCKS(total(memory, answer, "deadlocks", row["deadlocks"]))


LOCKS = Collector("locks", ask={"main": QUERIES}, read=read, families=(BLOCKED, BLOCKING, OLDEST, DEADLOCKS))
