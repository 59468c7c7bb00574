"""Does scheduled work run? A cron that is late or fails says so nowhere but in a log.

    closewatch_odoo_crons{active="true"} 23
    closewatch_odoo_cron_oldest_due_timestamp_seconds 1.7953e+09
    closewatch_odoo_cron_overdue 0
    closewatch_odoo_cron_failing 1

Due is what Odoo would run now: active, its next call or a trigger past, and, up to Odoo 17, with calls left
(numbercall). A cron that runs stays due until it ends, and so do those behind it; one cron thread may have to walk 200
databases. So a cron is overdue only after 15 minutes and twice its interval, and `cron_last_attempt` tells whether any
was tried.

An attempt is no success, whatever Odoo's own help says. Failures leave a trace in Odoo 18 and newer only; before, there
are no series of them. After five failures and a week Odoo 18 switches the cron off and wipes the trace: then
`crons{active="false"}` grows. Odoo 18.0 writes first_failure_date in its session's time zone, when all else is UTC: it
is read in the zone of our session, which is the same unless one of the two roles was given its own.

Rights: SELECT on a few columns. Cost: a table of some hundred rows, and the triggers that are due. Source: ir_cron,
ir_cron_trigger.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.postgresql.query import Query

CRONS = Gauge("closewatch_odoo_crons", "Scheduled actions, by whether they are active.", ("active",))
OLDEST_DUE = Gauge(
    "closewatch_odoo_cron_oldest_due_timestamp_seconds",
    "Since when the longest waiting cron should have run; absent while none is due.",
)
OVERDUE = Gauge(
    "closewatch_odoo_cron_overdue",
    "Crons that are due and late by more than 15 minutes and more than twice their interval.",
)
LAST_ATTEMPT = Gauge(
    "closewatch_odoo_cron_last_attempt_timestamp_seconds", "When a cron was last tried, whether or not it succeeded."
)
FAILING = Gauge("closewatch_odoo_cron_failing", "Active crons whose last run failed (Odoo 18 and newer).")
OLDEST_FAILURE = Gauge(
    "closewatch_odoo_cron_oldest_failure_timestamp_seconds",
    "Since when the longest failing of the active crons fails (Odoo 18 and newer); absent while none fails.",
)

_SQL = """
WITH utc AS MATERIALIZED (SELECT pg_catalog.timezone('UTC', pg_catalog.now()) AS now),
triggered AS (
  SELECT cron_id, pg_catalog.min(call_at) AS at FROM public.ir_cron_trigger
   WHERE call_at <= (SELECT now FROM utc) GROUP BY cron_id
),
cron AS (
  SELECT c.active IS TRUE AS active, c.lastcall, {failed} AS failed, {failed_since} AS failed_since,
         CASE WHEN c.active AND {calls_left} THEN
           LEAST(CASE WHEN c.nextcall <= (SELECT now FROM utc) THEN c.nextcall END, t.at) END AS due,
         2 * c.interval_number::float8 * CASE c.interval_type
           WHEN 'minutes' THEN 60 WHEN 'hours' THEN 3600 WHEN 'days' THEN 86400
           WHEN 'weeks' THEN 604800 WHEN 'months' THEN 2592000 END AS grace
    FROM public.ir_cron c LEFT JOIN triggered t ON t.cron_id = c.id
)
SELECT pg_catalog.count(*) FILTER (WHERE active) AS active,
       pg_catalog.count(*) FILTER (WHERE NOT active) AS inactive,
       EXTRACT(epoch FROM pg_catalog.min(due))::float8 AS oldest_due,
       pg_catalog.count(*) FILTER (
         WHERE EXTRACT(epoch FROM (SELECT now FROM utc) - due) > GREATEST(900, grace)) AS overdue,
       EXTRACT(epoch FROM pg_catalog.max(lastcall))::float8 AS last_attempt,
       {failing} AS failing,
       EXTRACT(epoch FROM pg_catalog.min(failed_since) FILTER (WHERE active AND failed))::float8 AS oldest_failure
  FROM cron
"""

_ZONE = """(SELECT CASE WHEN latest_version LIKE '18.0.%'
                        THEN pg_catalog.current_setting('TimeZone') ELSE 'UTC' END
              FROM public.ir_module_module WHERE name = 'base' LIMIT 1)"""
_COLUMNS = ("id", "active", "interval_number", "interval_type", "nextcall", "lastcall")


def _query(calls_left: str, *more: str, failures: bool = False) -> Query:
    needs = [f"ir_cron.{column}" for column in (*_COLUMNS, *more)]
    needs += ["ir_cron_trigger.cron_id", "ir_cron_trigger.call_at"]
    if failures:
        needs += ["ir_module_module.name", "ir_module_module.latest_version"]
    sql = _SQL.format(
        calls_left=calls_left,
        failed="c.failure_count > 0" if failures else "false",
        failed_since=f"pg_catalog.timezone({_ZONE}, c.first_failure_date)" if failures else "NULL::timestamptz",
        failing="pg_catalog.count(*) FILTER (WHERE active AND failed)" if failures else "NULL::bigint",
    )
    return Query(sql, needs=tuple(needs))


# What has failure_count has done away with numbercall, even where an upgrade has left that column behind.
QUERY = (
    _query("true", "failure_count", "first_failure_date", failures=True),
    _query("c.numbercall <> 0", "numbercall"),
    _query("true"),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """One row, and a sample of each of its columns."""
    row = answer.one()
    yield CRONS(row["active"], active="true")
    yield CRONS(row["inactive"], active="false")
    yield OLDEST_DUE(row["oldest_due"])
    yield OVERDUE(row["overdue"])
    yield LAST_ATTEMPT(row["last_attempt"])
    yield FAILING(row["failing"])
    yield OLDEST_FAILURE(row["oldest_failure"])


CRON = Collector("cron", {"main": QUERY}, read, (CRONS, OLDEST_DUE, OVERDUE, LAST_ATTEMPT, FAILING, OLDEST_FAILURE))
