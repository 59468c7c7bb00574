"""Do jobs take longer than they used to, and is there room for more of them?

    closewatch_odoo_queue_job_duration_seconds{method="account.move.send_by_mail"} 1.4
    closewatch_odoo_queue_channel_used_ratio{channel="root.invoicing"} 0.5

A job that takes twice as long is the first sign of a slow bank, of a database in trouble, of a table that has outgrown
its index; the queue only grows when there is no room left. The figure is the median of a method's newest 100 jobs that
were done within a day: the middle moves when all get slower, and not for one that is large. Its own history is in
Prometheus, where a rule compares it with the week before.

A channel's share of its capacity counts the jobs that were handed out or run, in it and below it, as the runner does.
Only queue_job of 2026 and later keeps the capacity in the database; before, it is in Odoo's configuration, and there is
no series. Where that configuration lists the channels all the same, it wins, and the share is of what the rows say.

A method is named only where it looks like one, the three with the most jobs.

Rights: SELECT on the columns in `needs`: never the arguments, or the records. Cost: the newest 5,000 jobs by their id,
and 2,000 that run. Source: queue_job, queue_job_channel.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.odoo.sticky import largest
from closewatch.sources.postgresql.query import Query

DURATION = Gauge(
    "closewatch_odoo_queue_job_duration_seconds",
    "Median time that the newest 100 jobs of a method took which were done within a day; of the three most used ones.",
    ("method",),
)
USED = Gauge(
    "closewatch_odoo_queue_channel_used_ratio",
    "Share of a channel's capacity that jobs take up, in it and below it; of the three fullest ones.",
    ("channel",),
)

METHODS = 3
CHANNELS = 3
_METHOD = re.compile(r"[a-z_][a-z0-9_.]{0,100}")

DURATIONS = Query(
    """
SELECT method, pg_catalog.count(*)::float8 AS jobs,
       (pg_catalog.percentile_disc(0.5) WITHIN GROUP (ORDER BY exec_time) FILTER (WHERE place <= 100))::float8 AS median
  FROM (
    SELECT method, exec_time, pg_catalog.row_number() OVER (PARTITION BY method ORDER BY id DESC) AS place
      FROM (
        SELECT id, state, date_done, exec_time,
               pg_catalog.left(model_name, 60) || '.' || pg_catalog.left(method_name, 60) AS method
          FROM public.queue_job ORDER BY id DESC LIMIT 5000) newest
     WHERE state = 'done' AND exec_time >= 0
       AND date_done > pg_catalog.timezone('UTC', pg_catalog.now()) - interval '1 day') done
 GROUP BY method HAVING pg_catalog.count(*) >= 10
 ORDER BY 2 DESC, 1 LIMIT 20
""",
    needs=tuple(
        f"queue_job.{column}" for column in ("id", "state", "date_done", "exec_time", "model_name", "method_name")
    ),
)

CHANNELS_IN_USE = """
WITH running AS MATERIALIZED (
  SELECT name, pg_catalog.count(*) AS jobs FROM (
    (SELECT COALESCE(NULLIF(pg_catalog.left(channel, 200), ''), 'root') AS name FROM public.queue_job
      WHERE state >= 'enqueued' AND state <= 'enqueued' ORDER BY state LIMIT 1000)
    UNION ALL
    (SELECT COALESCE(NULLIF(pg_catalog.left(channel, 200), ''), 'root') FROM public.queue_job
      WHERE state >= 'started' AND state <= 'started' ORDER BY state LIMIT 1000)) job
   GROUP BY name
)
SELECT c.name, (SELECT COALESCE(pg_catalog.sum(r.jobs), 0) FROM running r
                 WHERE pg_catalog.starts_with(r.name || '.', c.name || '.'))::float8 / c.room AS used
  FROM (SELECT pg_catalog.left(complete_name, 200) AS name, CASE WHEN sequential THEN 1 ELSE capacity END AS room
          FROM public.queue_job_channel ORDER BY id LIMIT 200) c
 WHERE c.room > 0 AND c.name > ''
"""
CAPACITIES = (
    Query(
        CHANNELS_IN_USE,
        needs=(
            "queue_job.state",
            "queue_job.channel",
            *(f"queue_job_channel.{column}" for column in ("id", "complete_name", "capacity", "sequential")),
        ),
    ),
    Query("SELECT NULL::text AS name, NULL::float8 AS used WHERE false", optional=True),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """A name that is none of Python's is left out: who may write the table doesn't choose the label."""
    methods = {row["method"]: row for row in answer.rows() if _METHOD.fullmatch(row["method"] or "")}
    for name in largest({name: row["jobs"] for name, row in methods.items()}, METHODS, memory, "methods"):
        yield DURATION(methods[name]["median"], method=name)
    used: dict[str, float] = {}
    for row in answer.rows("channels"):
        used[row["name"]] = max(row["used"], used.get(row["name"], 0.0))
    for name in largest(used, CHANNELS, memory, "channels"):
        yield USED(used[name], channel=name)


JOBS = Collector(
    "jobs",
    {"main": DURATIONS, "channels": CAPACITIES},
    read,
    (DURATION, USED),
    every=300.0,
    applies="queue_job",
    budget=0.3,
)
