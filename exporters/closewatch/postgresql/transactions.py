"""Which transaction is open for too long, and who keeps VACUUM from cleaning up?

    closewatch_postgresql_oldest_transaction_start_timestamp_seconds{activity="ordinary"} 1.7324e+09
    closewatch_postgresql_xmin_horizon_age_transactions{holder="slot"} 51300

Maintenance is what is long by nature: autovacuum, WAL senders (base backups, the first copy of a subscriber), the
tools that dump, restore, reindex and back up, by application_name, and the statements that tend tables and indexes.
Such a session idle in a transaction is at work, too: a parallel pg_dump holds its snapshot that way. closewatch's own
sessions (our role with our application_name) don't count; their statements are limited to seconds.

A holder of the xmin horizon that there is none of is absent. A lazy VACUUM shows an xmin and holds nothing back, a
lost slot too. A standby with a slot holds by the slot.

Rights: pg_monitor. Cost: one pass over the sessions. Source: pg_stat_activity, pg_stat_progress_vacuum,
pg_prepared_xacts, pg_replication_slots, pg_stat_database.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Counter, Gauge, Sample
from closewatch.core.targets import Target
from closewatch.postgresql.counting import total
from closewatch.postgresql.rights import readable
from closewatch.sources.postgresql.query import Query

OLDEST = Gauge(
    "closewatch_postgresql_oldest_transaction_start_timestamp_seconds",
    "When the oldest open transaction began, of ordinary work or of maintenance; absent while none is open.",
    ("activity",),
)
OLDEST_IDLE = Gauge(
    "closewatch_postgresql_oldest_idle_in_transaction_start_timestamp_seconds",
    "Since when the session idles that idled longest inside a transaction, maintenance left out; absent if none.",
)
PREPARED = Gauge(
    "closewatch_postgresql_prepared_transactions",
    "Prepared transactions, which hold their locks until somebody ends them.",
)
OLDEST_PREPARED = Gauge(
    "closewatch_postgresql_oldest_prepared_timestamp_seconds",
    "When the oldest prepared transaction was prepared; absent if none.",
)
XMIN_HORIZON = Gauge(
    "closewatch_postgresql_xmin_horizon_age_transactions",
    "Transactions since the oldest one whose dead rows a holder of this kind keeps from being removed; absent if none.",
    ("holder",),
)
COMMITS = Counter("closewatch_postgresql_commits_total", "Transactions committed, in all databases.")
ROLLBACKS = Counter("closewatch_postgresql_rollbacks_total", "Transactions rolled back, in all databases.")

ACTIVITIES = ("ordinary", "maintenance")
HOLDERS = ("session", "prepared", "slot", "slot_catalog", "standby")

# A failed transaction has no start any more. A parallel worker is left out for its leader, which is there as long.
QUERY = Query("""
WITH backend AS MATERIALIZED (
    SELECT pid, backend_type, state, xact_start, state_change,
           greatest(pg_catalog.age(backend_xmin), pg_catalog.age(backend_xid)) AS age,
           coalesce(
               backend_type LIKE 'autovacuum%' OR backend_type = 'walsender'
               OR application_name ~* '^(pg_(dump|restore|basebackup|repack)|(vacuum|reindex|cluster)db)'
               OR application_name ~* '^(pgbackrest|barman|wal-g)'
               OR pg_catalog.left(query, 100)
                  ~* '^\\s*(vacuum|analy[sz]e|cluster|reindex|create\\s+(unique\\s+)?index|refresh)\\y',
               false) AS maintenance
      FROM pg_catalog.pg_stat_activity
     WHERE (xact_start IS NOT NULL OR backend_xmin IS NOT NULL OR state LIKE 'idle in transaction%')
       AND backend_type <> 'parallel worker' AND pid <> pg_catalog.pg_backend_pid()
       AND (application_name <> pg_catalog.current_setting('application_name')
            OR usesysid IS DISTINCT FROM (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user))
), slot AS MATERIALIZED (
    SELECT max(pg_catalog.age(xmin)) AS age, max(pg_catalog.age(catalog_xmin)) AS catalog_age
      FROM pg_catalog.pg_replication_slots
     WHERE wal_status IS DISTINCT FROM 'lost'
), prepared AS MATERIALIZED (
    SELECT count(*) AS count, min(prepared) AS oldest, max(pg_catalog.age(transaction)) AS age
      FROM pg_catalog.pg_prepared_xacts
), counted AS MATERIALIZED (
    SELECT sum(xact_commit)::float8 AS commits, sum(xact_rollback)::float8 AS rollbacks FROM pg_catalog.pg_stat_database
)
SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS readable,
       extract(epoch FROM min(xact_start) FILTER (WHERE NOT maintenance))::float8 AS oldest_ordinary,
       extract(epoch FROM min(xact_start) FILTER (WHERE maintenance))::float8 AS oldest_maintenance,
       extract(epoch FROM min(state_change)
           FILTER (WHERE state LIKE 'idle in transaction%' AND NOT maintenance))::float8 AS oldest_idle,
       (SELECT count FROM prepared) AS prepared,
       (SELECT extract(epoch FROM oldest)::float8 FROM prepared) AS oldest_prepared,
       max(age) FILTER (WHERE backend_type <> 'walsender'
                          AND pid NOT IN (SELECT pid FROM pg_catalog.pg_stat_progress_vacuum)) AS xmin_session,
       (SELECT age FROM prepared) AS xmin_prepared,
       (SELECT age FROM slot) AS xmin_slot,
       (SELECT catalog_age FROM slot) AS xmin_slot_catalog,
       max(age) FILTER (WHERE backend_type = 'walsender') AS xmin_standby,
       (SELECT commits FROM counted) AS commits,
       (SELECT rollbacks FROM counted) AS rollbacks
  FROM backend
""")


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """Ages of what is open, who holds the horizon back, and how many ended which way."""
    (row,) = readable(answer)
    for activity in ACTIVITIES:
        yield OLDEST(row[f"oldest_{activity}"], activity=activity)
    yield OLDEST_IDLE(row["oldest_idle"])
    yield PREPARED(row["prepared"])
    yield OLDEST_PREPARED(row["oldest_prepared"])
    for holder in HOLDERS:
        yield XMIN_HORIZON(row[f"xmin_{holder}"], holder=holder)
    yield COMMITS(total(memory, answer, "commits", row["commits"]))
    yield ROLLBACKS(total(memory, answer, "rollbacks", row["rollbacks"]))


TRANSACTIONS = Collector(
    "transactions",
    ask={"main": QUERY},
    read=read,
    families=(OLDEST, OLDEST_IDLE, PREPARED, OLDEST_PREPARED, XMIN_HORIZON, COMMITS, ROLLBACKS),
)
