"""Is there a runner? Without it no job is handed out, however healthy Odoo's processes look.

    closewatch_odoo_queue_runner_alive 1
    closewatch_odoo_queue_running_jobs 4

Since 2025 queue_job's runner holds an advisory lock in each database that it serves, and each job that runs holds a row
of queue_job_lock. When the runner's connection breaks silently, the server drops its lock while the process still looks
well: that is what this shows. Jobs marked as started, beyond those that run, were killed and wait to be queued again.

Older layouts have neither: no series. Odoo 15 got the table (queue_job 15.0.2.3.13) without the advisory lock: there a
lock that is not held says nothing, and gives no sample. In Odoo 16 the table came some weeks before the lock, in early
2025. The rows themselves say nothing: they stay when their job is done.

Rights: SELECT on the module's version; all may read the locks. Cost: one look at the lock table. Source: pg_locks,
ir_module_module.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.postgresql.query import Query

ALIVE = Gauge(
    "closewatch_odoo_queue_runner_alive",
    "Whether a job runner holds the database's lock; where none does (0), no job is handed out.",
)
RUNNING = Gauge(
    "closewatch_odoo_queue_running_jobs", "Jobs that really run: workers that hold a row of queue_job_lock."
)

# The lock's key is 2293787760715711918, of which pg_locks shows the halves. The runner looks for dead jobs among the
# rows of queue_job_lock, and so holds a lock of that kind for a moment: it doesn't count.
_SQL = """
WITH held AS MATERIALIZED (
  SELECT pid, mode, locktype, relation,
         locktype = 'advisory' AND classid = 534064080 AND objid = 3147384238 AND objsubid = 1 AS runner
    FROM pg_catalog.pg_locks
   WHERE granted
     AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
)
SELECT COALESCE(pg_catalog.bool_or(runner), false) AS alive,
       pg_catalog.count(DISTINCT pid) FILTER (
         WHERE locktype = 'relation' AND mode = 'RowShareLock'
           AND relation = 'public.queue_job_lock'::pg_catalog.regclass
           AND pid NOT IN (SELECT pid FROM held WHERE runner)) AS running,
       {version} AS version
  FROM held
"""

_VERSION = """(SELECT pg_catalog.left(latest_version, 64)::text
                 FROM public.ir_module_module WHERE name = 'queue_job' LIMIT 1)"""

QUERY = (
    Query(
        _SQL.format(version=_VERSION),
        needs=("queue_job_lock", "ir_module_module.name", "ir_module_module.latest_version"),
    ),
    Query(_SQL.format(version="NULL::text"), needs=("queue_job_lock",)),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """A lock that is not held says something only where the runner takes it."""
    row = answer.one()
    takes_lock = not (row["version"] or "").startswith("15.")
    yield ALIVE(row["alive"] if row["alive"] or takes_lock else None)
    yield RUNNING(row["running"])


RUNNER = Collector("runner", {"main": QUERY}, read, (ALIVE, RUNNING), applies="queue_job_lock")
