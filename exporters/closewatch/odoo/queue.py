"""Do background jobs run? Invoices, payments and bank files leave Odoo through OCA's queue_job; nobody sees it stop.

    closewatch_odoo_queue_jobs{state="pending",channel="root.fin"} 12
    closewatch_odoo_queue_jobs{state="pending",channel="other"} 0
    closewatch_odoo_queue_oldest_runnable_timestamp_seconds 1.7953e+09

A pending job with an eta to come is not late, nor is one whose channel is paused, or lies below one that is: the runner
lets nothing through to a paused channel's parent. (Where Odoo's configuration file lists the channels, the runner
doesn't look at their rows, and pauses nothing.) A failed job has no time of its end. A job that somebody requeues by
hand keeps its day of creation, so it looks old until it runs.

Rights: SELECT on the columns in `needs`: never the arguments, the records, or what an exception said. Cost: bounded,
whatever the table holds. Of each state 1,000 jobs are looked at, those stored first (of failed and cancelled ones,
last), and the newest pending ones. Further ones are only counted, in the index. `done` jobs, which may be millions, are
left alone but for the newest. Source: queue_job, queue_job_channel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.odoo.sticky import largest
from closewatch.sources.postgresql.query import Query

JOBS = Gauge(
    "closewatch_odoo_queue_jobs",
    "Jobs by state and channel, less done ones; other: further channels, and jobs that were counted, not looked at.",
    ("state", "channel"),
)
OLDEST_RUNNABLE = Gauge(
    "closewatch_odoo_queue_oldest_runnable_timestamp_seconds",
    "Since when the oldest pending job could run: its eta is past and its channel is not paused.",
)
OLDEST_ENQUEUED = Gauge(
    "closewatch_odoo_queue_oldest_enqueued_timestamp_seconds",
    "When the oldest job that waits for a worker was handed out by the runner.",
)
OLDEST_STARTED = Gauge(
    "closewatch_odoo_queue_oldest_started_timestamp_seconds",
    "When the oldest job that is marked as running was started.",
)
LAST_DONE = Gauge(
    "closewatch_odoo_queue_last_done_timestamp_seconds",
    "When a job was last done, among the newest 1000 jobs and the 1000 before those that run, or wait to.",
)
FAILED = Gauge(
    "closewatch_odoo_queue_failed_jobs",
    "Failed jobs by class of exception; other: further classes, and jobs that were counted, not looked at.",
    ("class",),
)
DEAD = Gauge(
    "closewatch_odoo_queue_dead_dependency_jobs",
    "Jobs that wait for others of a graph in which one failed or was cancelled: they don't run by themselves.",
)
COUNTS_CAPPED = Gauge(
    "closewatch_odoo_queue_counts_capped", "Whether a state has more jobs than closewatch_odoo_queue_count_cap."
)
COUNT_CAP = Gauge(
    "closewatch_odoo_queue_count_cap",
    "Jobs of a state that are counted at most: 2000 where the table is large and was never vacuumed, else 50000.",
)
DETAILS_CAPPED = Gauge(
    "closewatch_odoo_queue_details_capped",
    "Whether a state has more jobs than are looked at (1000): channels, classes, ages and graphs are of those only.",
)

LOOKED = 1_000
COUNTED = 50_000
FEW = 2_000
CHANNELS = 5
CLASSES = 5
NAMED = 10
"""Series of a state and a channel by name: with `other` and all else, a database has at most 100 series."""
OTHER = "other"
STATES = ("pending", "failed", "started", "enqueued", "wait_dependencies", "cancelled")
"""In the order in which they are split up by channel, while there is room."""

# What keeps the plan from going wrong, whatever the statistics say or don't:
# - A state is asked for as a range, in the order of the index. With an equality and a LIMIT the planner likes to read
#   the table until enough rows turned up, which for a rare state is all of it; a sort, though, has to read all of it.
# - Each state stands there as a constant: of a parameter the planner would expect half a percent of the table, and
#   fetch a common state whole. Only counting does without: it stays in the index where the table is vacuumed, and
#   where the state is given as both it expects so few rows that the compiler (jit) is never started.
# - Behind a pile that is planned for next week, the jobs that wait are found among the newest.
# - Names are cut here: a text column holds up to 1 GB. What is cut gets a hash, so that two don't become one.
_SQL = """
WITH paused AS MATERIALIZED ({paused}),
cap AS MATERIALIZED (
  SELECT CASE WHEN pages > 10000 AND pages / 2 > relallvisible THEN {few} ELSE {counted} END AS jobs
    FROM (SELECT pg_catalog.pg_relation_size(oid) / pg_catalog.current_setting('block_size')::int AS pages,
                 relallvisible
            FROM pg_catalog.pg_class WHERE oid = 'public.queue_job'::pg_catalog.regclass) size
),
newest AS MATERIALIZED (
  SELECT state::text AS state, id, {channel} AS channel, NULL::text AS class, NULL::text AS graph, eta,
         date_created AS since, date_done
    FROM public.queue_job ORDER BY id DESC LIMIT 1000
),
looked AS MATERIALIZED (
({pending}
UNION
SELECT state, id, channel, class, graph, eta, since FROM newest WHERE state = 'pending')
UNION ALL {enqueued}
UNION ALL {started}
UNION ALL {wait_dependencies}
UNION ALL {failed}
UNION ALL {cancelled}
),
seen AS MATERIALIZED (
  SELECT state, channel, class, pg_catalog.count(*) AS jobs,
         pg_catalog.min(id) AS first, pg_catalog.max(id) AS last,
         pg_catalog.min(GREATEST(since, eta)) FILTER (
           WHERE eta IS NULL OR eta <= pg_catalog.timezone('UTC', pg_catalog.now())) AS oldest
    FROM looked GROUP BY 1, 2, 3
),
counts AS (
  SELECT s.state, CASE WHEN l.jobs < {looked} THEN l.jobs ELSE (
           SELECT pg_catalog.count(*) FROM (
             SELECT FROM public.queue_job WHERE state = s.state AND state >= s.state AND state <= s.state
              LIMIT (SELECT jobs + 1 FROM cap)) j) END AS jobs
    FROM (VALUES ('pending'), ('enqueued'), ('started'), ('failed'), ('wait_dependencies'), ('cancelled')) s (state)
   CROSS JOIN LATERAL (SELECT COALESCE(pg_catalog.sum(jobs), 0) AS jobs FROM seen WHERE seen.state = s.state) l
),
live AS MATERIALIZED (
  SELECT state, first, last, oldest FROM seen s
   WHERE state IN ('enqueued', 'started') OR state = 'pending' AND NOT EXISTS (
     SELECT FROM paused p
      WHERE pg_catalog.starts_with(s.channel || '.', p.name || '.')
         OR pg_catalog.starts_with('root.' || s.channel || '.', p.name || '.'))
),
head AS (
  SELECT COALESCE(pg_catalog.max(last) FILTER (WHERE state <> 'pending'), pg_catalog.min(first)) AS id FROM live
),
done AS (
  SELECT pg_catalog.max(date_done) AS newest FROM (
    SELECT state, date_done FROM newest
    UNION ALL
    (SELECT state, date_done FROM public.queue_job WHERE id < (SELECT id FROM head) ORDER BY id DESC LIMIT 1000)) j
   WHERE state = 'done'
)
SELECT 'state' AS kind, state, NULL AS name, jobs::float8 AS value FROM counts
UNION ALL
SELECT 'looked', state, NULL, pg_catalog.sum(jobs)::float8 FROM seen GROUP BY state
UNION ALL
(SELECT 'channel', state, channel, pg_catalog.sum(jobs)::float8 FROM seen
  GROUP BY state, channel ORDER BY 4 DESC, 3 LIMIT 60)
UNION ALL
SELECT 'oldest', state, NULL, EXTRACT(epoch FROM pg_catalog.min(oldest))::float8 FROM live GROUP BY state
UNION ALL
SELECT 'done', NULL, NULL, EXTRACT(epoch FROM newest)::float8 FROM done
UNION ALL
SELECT 'cap', NULL, NULL, jobs::float8 FROM cap
{details}"""

_DETAILS = """UNION ALL
(SELECT 'class', state, class, pg_catalog.sum(jobs)::float8 FROM seen
  WHERE state = 'failed' GROUP BY state, class ORDER BY 4 DESC, 3 LIMIT 20)
UNION ALL
SELECT 'dead', NULL, NULL, COALESCE(pg_catalog.sum(jobs), 0)::float8 FROM (
  SELECT graph, pg_catalog.max(jobs) AS jobs FROM (
    SELECT g.graph, g.jobs, j.state
      FROM (SELECT graph, pg_catalog.count(*) AS jobs FROM looked
             WHERE state = 'wait_dependencies' AND graph IS NOT NULL GROUP BY graph) g
     CROSS JOIN LATERAL (
       SELECT state FROM public.queue_job
        WHERE graph_uuid >= g.graph AND graph_uuid <= g.graph ORDER BY graph_uuid LIMIT 200) j
     LIMIT 4000) member
   WHERE state IN ('failed', 'cancelled') GROUP BY graph) graph
"""

_LOOK = """
(SELECT '{state}' AS state, id, {channel} AS channel, {failure} AS class, {graph} AS graph,
        {eta} AS eta, {since} AS since
   FROM public.queue_job j
  WHERE j.state >= '{state}' AND j.state <= '{state}' ORDER BY j.state {order} LIMIT {limit})"""

_CUT = """CASE WHEN pg_catalog.octet_length({column}) > 500
             THEN pg_catalog.left({column}, 200) || ' ' || pg_catalog.hashtextextended({column}, 0)
             ELSE COALESCE(NULLIF({column}, ''), '{empty}') END"""
_CHANNEL = _CUT.format(column="channel", empty="root")
"""The runner, too, takes no channel for root."""
_COLUMNS = ("id", "state", "channel", "eta", "date_created", "date_enqueued", "date_started", "date_done")


def _look(state: str, since: str = "NULL::timestamp", order: str = "", *, details: bool) -> str:
    """The jobs of a state that are looked at. Their storage follows the order in which they came, more or less."""
    return _LOOK.format(
        state=state,
        channel=_CHANNEL,
        failure=_CUT.format(column="exc_name", empty="unknown") if details and state == "failed" else "NULL::text",
        graph="graph_uuid" if details and state == "wait_dependencies" else "NULL::text",
        eta="eta" if state == "pending" else "NULL::timestamp",
        since=since,
        order=order,
        limit=LOOKED,
    )


def _query(*, paused: bool, details: bool) -> Query:
    """The statement for what is there: pausing came in 2026, graphs and the class of the exception in late 2022."""
    pausing = "SELECT complete_name::text AS name FROM public.queue_job_channel WHERE paused"
    needs = [f"queue_job.{column}" for column in (*_COLUMNS, *(("graph_uuid", "exc_name") if details else ()))]
    needs += ["queue_job_channel.complete_name", "queue_job_channel.paused"] if paused else []
    sql = _SQL.format(
        paused=pausing if paused else "SELECT NULL::text AS name WHERE false",
        channel=_CHANNEL,
        pending=_look("pending", "date_created", details=details),
        enqueued=_look("enqueued", "date_enqueued", details=details),
        started=_look("started", "date_started", details=details),
        wait_dependencies=_look("wait_dependencies", details=details),
        failed=_look("failed", order="DESC", details=details),
        cancelled=_look("cancelled", order="DESC", details=details),
        details=_DETAILS if details else "",
        looked=LOOKED,
        counted=COUNTED,
        few=FEW,
    )
    return Query(sql, needs=tuple(needs))


QUERY = (_query(paused=True, details=True), _query(paused=False, details=True), _query(paused=False, details=False))


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """Totals by state are complete up to the cap: what has no name of its own is `other`."""
    found: dict[str, dict[tuple[str, str], float]] = {}
    for row in answer.rows():
        if row["value"] is not None:
            found.setdefault(row["kind"], {})[row["state"] or "", row["name"] or ""] = row["value"]
    cap = found["cap"]["", ""]
    counted = {state: found["state"][state, ""] for state in STATES}
    totals = {state: min(jobs, cap) for state, jobs in counted.items()}
    yield from _by_channel(totals, found.get("channel", {}), memory)
    if "dead" in found:
        yield from _by_class(totals["failed"], found.get("class", {}), memory)
        yield DEAD(found["dead"]["", ""])
    oldest = found.get("oldest", {})
    yield OLDEST_RUNNABLE(oldest.get(("pending", "")))
    yield OLDEST_ENQUEUED(oldest.get(("enqueued", "")))
    yield OLDEST_STARTED(oldest.get(("started", "")))
    yield LAST_DONE(found.get("done", {}).get(("", "")))
    looked = found.get("looked", {})
    yield COUNTS_CAPPED(any(jobs > cap for jobs in counted.values()))
    yield COUNT_CAP(cap)
    yield DETAILS_CAPPED(any(jobs > looked.get((state, ""), 0.0) for state, jobs in counted.items()))


def _by_channel(
    totals: Mapping[str, float], found: Mapping[tuple[str, str], float], memory: Memory
) -> Iterable[Sample]:
    sizes: dict[str, float] = {}
    for (_, channel), jobs in found.items():
        sizes[channel] = sizes.get(channel, 0.0) + jobs
    names = largest(_named(sizes), CHANNELS, memory, "channels")
    pairs = [(state, name) for state in STATES for name in names if (state, name) in found][:NAMED]
    for state, name in pairs:
        yield JOBS(found[state, name], state=state, channel=name)
    for state, total in totals.items():
        yield JOBS(total - sum(found[pair] for pair in pairs if pair[0] == state), state=state, channel=OTHER)


def _by_class(total: float, found: Mapping[tuple[str, str], float], memory: Memory) -> Iterable[Sample]:
    sizes = {name: jobs for (_, name), jobs in found.items()}
    names = largest(_named(sizes), CLASSES, memory, "classes")
    for name in names:
        yield FAILED(sizes[name], **{"class": name})
    yield FAILED(total - sum(sizes[name] for name in names), **{"class": OTHER})


def _named(sizes: Mapping[str, float]) -> Mapping[str, float]:
    return {name: size for name, size in sizes.items() if name != OTHER}


QUEUE = Collector(
    "queue",
    {"main": QUERY},
    read,
    (
        JOBS,
        OLDEST_RUNNABLE,
        OLDEST_ENQUEUED,
        OLDEST_STARTED,
        LAST_DONE,
        FAILED,
        DEAD,
        COUNTS_CAPPED,
        COUNT_CAP,
        DETAILS_CAPPED,
    ),
    applies="queue_job",
    budget=0.5,
)
