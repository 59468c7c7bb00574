"""Does autovacuum keep up?

    closewatch_postgresql_autovacuum_workers 3
    closewatch_postgresql_autovacuum_workers_max 3
    closewatch_postgresql_vacuum_oldest_start_timestamp_seconds 1.7324e+09

All workers busy for hours means that tables wait for their turn. Which ones is known only inside of each database:
the collector `tables` of an Odoo database tells. A vacuum against wraparound doesn't give way to others' locks, and is
no fault by itself: autovacuum_freeze_max_age makes it run now and then.

Rights: pg_monitor. Cost: one pass over the sessions. Source: pg_stat_activity, pg_stat_progress_vacuum.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.postgresql.rights import readable
from closewatch.sources.postgresql.query import Query

ENABLED = Gauge(
    "closewatch_postgresql_autovacuum_enabled", "Whether autovacuum runs: autovacuum and track_counts are on."
)
WORKERS = Gauge("closewatch_postgresql_autovacuum_workers", "Workers of autovacuum that run.")
WORKERS_MAX = Gauge("closewatch_postgresql_autovacuum_workers_max", "Workers of autovacuum that can run at once.")
WRAPAROUND_WORKERS = Gauge(
    "closewatch_postgresql_autovacuum_wraparound_workers", "Workers that vacuum to prevent wraparound."
)
OLDEST = Gauge(
    "closewatch_postgresql_vacuum_oldest_start_timestamp_seconds",
    "When the vacuum of a table began that runs longest, by autovacuum or by hand; absent while none runs.",
)
PROGRESS = Gauge(
    "closewatch_postgresql_vacuum_oldest_scanned_ratio",
    "Share of its table that the vacuum that runs longest has scanned; its indexes are not counted.",
)

# autovacuum_worker_slots (18) bounds autovacuum_max_workers, which before that was its own bound.
QUERY = Query("""
WITH backend AS MATERIALIZED (
    SELECT pid, backend_type, xact_start, query LIKE '%(to prevent wraparound)' AS wraparound
      FROM pg_catalog.pg_stat_activity
), oldest AS (
    SELECT b.xact_start, p.heap_blks_scanned::float8 / nullif(p.heap_blks_total, 0) AS scanned
      FROM pg_catalog.pg_stat_progress_vacuum p JOIN backend b ON b.pid = p.pid
     ORDER BY b.xact_start LIMIT 1
)
SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS readable,
       pg_catalog.current_setting('autovacuum') = 'on' AND pg_catalog.current_setting('track_counts') = 'on' AS enabled,
       least(pg_catalog.current_setting('autovacuum_max_workers')::integer,
             pg_catalog.current_setting('autovacuum_worker_slots', true)::integer) AS max,
       (SELECT count(*) FROM backend WHERE backend_type = 'autovacuum worker') AS workers,
       (SELECT count(*) FROM backend WHERE backend_type = 'autovacuum worker' AND wraparound) AS wraparound,
       (SELECT extract(epoch FROM xact_start)::float8 FROM oldest) AS oldest,
       (SELECT scanned FROM oldest) AS scanned
""")


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """Workers against their limit, and the vacuum that runs longest."""
    (row,) = readable(answer)
    yield ENABLED(row["enabled"])
    yield WORKERS(row["workers"])
    yield WORKERS_MAX(row["max"])
    yield WRAPAROUND_WORKERS(row["wraparound"])
    yield OLDEST(row["oldest"])
    yield PROGRESS(row["scanned"])


VACUUM = Collector(
    "vacuum",
    ask={"main": QUERY},
    read=read,
    families=(ENABLED, WORKERS, WORKERS_MAX, WRAPAROUND_WORKERS, OLDEST, PROGRESS),
)
