"""Can one more user log in?

    closewatch_postgresql_connections{state="idle_in_transaction"} 4
    closewatch_postgresql_connections_max 97

All sessions of clients count, other ones of closewatch too, but not the one that asks. WAL senders and background
processes have places of their own. `connections_max` is what ordinary users can get: without the places kept for
superusers, and from 16 on for members of pg_use_reserved_connections.

The ratio is of the role or database nearest to its own limit. Superusers ignore limits; a limit of 0 shuts out on
purpose; -1 is none, and -2 marks an invalid database. Our own role is left out: where it is at its limit, the scrape
says so.

Rights: pg_monitor. Cost: one pass over the sessions, roles and databases. Source: pg_stat_activity, pg_roles,
pg_database.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.postgresql.rights import readable
from closewatch.sources.postgresql.query import Query

CONNECTIONS_BY_STATE = Gauge(
    "closewatch_postgresql_connections",
    "Sessions of clients on the primary, but the one that asks, by what they do.",
    ("state",),
)
MAX = Gauge(
    "closewatch_postgresql_connections_max",
    "Sessions that ordinary users can have at once: max_connections less the places kept for others.",
)
LIMIT_USED = Gauge(
    "closewatch_postgresql_connection_limit_used_ratio",
    "Sessions against the limit of the role or database that is nearest to its own; absent where none has a limit.",
)

STATES = ("active", "idle", "idle_in_transaction", "idle_in_transaction_aborted", "other")

QUERY = Query("""
WITH client AS MATERIALIZED (
    SELECT pid, usesysid, datid, CASE WHEN pid <> pg_catalog.pg_backend_pid() THEN coalesce(state, '') END AS state
      FROM pg_catalog.pg_stat_activity
     WHERE backend_type = 'client backend'
), used AS (
    SELECT count(client.pid)::float8 / rolconnlimit AS ratio
      FROM pg_catalog.pg_roles LEFT JOIN client ON client.usesysid = oid
     WHERE rolconnlimit > 0 AND rolcanlogin AND NOT rolsuper AND rolname <> current_user
     GROUP BY oid, rolconnlimit
    UNION ALL
    SELECT count(client.pid)::float8 / datconnlimit
      FROM pg_catalog.pg_database LEFT JOIN client ON client.datid = oid
     WHERE datconnlimit > 0 AND datallowconn
     GROUP BY oid, datconnlimit
)
SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS readable,
       count(*) FILTER (WHERE state = 'active') AS active,
       count(*) FILTER (WHERE state = 'idle') AS idle,
       count(*) FILTER (WHERE state = 'idle in transaction') AS idle_in_transaction,
       count(*) FILTER (WHERE state = 'idle in transaction (aborted)') AS idle_in_transaction_aborted,
       count(*) FILTER (WHERE state NOT IN ('active', 'idle', 'idle in transaction', 'idle in transaction (aborted)'))
           AS other,
       pg_catalog.current_setting('max_connections')::integer
           - pg_catalog.current_setting('superuser_reserved_connections')::integer
           - coalesce(pg_catalog.current_setting('reserved_connections', true)::integer, 0) AS max,
       (SELECT max(ratio) FROM used) AS used
  FROM client
""")


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """Sessions by state, all states always, and the two limits."""
    (row,) = readable(answer)
    for state in STATES:
        yield CONNECTIONS_BY_STATE(row[state], state=state)
    yield MAX(row["max"])
    yield LIMIT_USED(row["used"])


CONNECTIONS = Collector("connections", ask={"main": QUERY}, read=read, families=(CONNECTIONS_BY_STATE, MAX, LIMIT_USED))
