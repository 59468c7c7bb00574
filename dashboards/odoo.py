"""Odoo: does background work get done? Jobs of queue_job, and the scheduled actions that everything else hangs on."""

from __future__ import annotations

from dashboards.limits import limits
from dashboards.measures import NAME, YES_IS_GOOD, Measures, line_per_target
from dashboards.parts import ORANGE, TARGET, YELLOW, Column, Limits, Panel, chart, query

ODOO = Measures("odoo", "closewatch_odoo_info", "@tenant")
COPY = {"0": ("no", "text"), "1": ("neutralised copy", YELLOW)}
NO_QUEUE = "No watched database has the module queue_job."
MOST = 20  # lines of a chart: with hundreds of databases it shows the worst at each moment


def top(expr: str) -> str:
    """The worst few."""
    return f"topk({MOST}, {expr})"


def panels() -> list[Panel]:
    """A line a database, then jobs, then scheduled actions."""
    return [_databases(), *_jobs(), *_waits(), *_failures(), *_crons()]


def _databases() -> Panel:
    late, waits = (
        ODOO.age("closewatch_odoo_cron_oldest_due_timestamp_seconds"),
        ODOO.age("closewatch_odoo_queue_oldest_runnable_timestamp_seconds"),
    )
    failed = f"sum by ({TARGET}) ({ODOO.worst('closewatch_odoo_queue_failed_jobs', 'class')})"
    columns: list[tuple[str, Column]] = [
        (
            waits,
            Column("", "Oldest job waits", unit="s", steps=limits("odoo_queue_runnable_seconds").steps, width=130),
        ),
        (
            ODOO.worst("closewatch_odoo_queue_runner_alive"),
            Column("", "Runner", texts=YES_IS_GOOD, solid=True, width=75),
        ),
        (failed, Column("", "Failed jobs", steps=((1, YELLOW),), width=95)),
        (late, Column("", "Actions late by", unit="s", steps=((900, YELLOW),), width=120)),
        (ODOO.worst("closewatch_odoo_cron_overdue"), Column("", "Overdue", steps=((1, ORANGE),), width=80)),
        (ODOO.worst("closewatch_odoo_cron_failing"), Column("", "Failing", steps=((1, ORANGE),), width=80)),
        (ODOO.worst("closewatch_odoo_modules_pending"), Column("", "Modules pending", steps=((1, ORANGE),), width=130)),
        (ODOO.worst("closewatch_odoo_neutralized"), Column("", "Copy", texts=COPY, width=130)),
    ]
    return line_per_target(
        "Databases",
        "A line a database. While modules are pending, Odoo skips every scheduled action of that database.",
        ODOO,
        columns,
        noun="Database",
        none="No Odoo database is watched here.",
    )


def _jobs() -> list[Panel]:
    return [
        chart(
            "Jobs by state",
            "All jobs that are not done, of what is chosen. Counts may be capped; Prometheus knows where "
            "(closewatch_odoo_queue_counts_capped).",
            "short",
            [query(f"sum by (state) ({ODOO.worst('closewatch_odoo_queue_jobs', 'state', 'channel')})", "{{state}}")],
            stacked=True,
            none=NO_QUEUE,
        ),
        chart(
            "Jobs by channel",
            "All jobs that are not done, by channel; the smaller channels together as other.",
            "short",
            [
                query(
                    f"sum by (channel) ({ODOO.worst('closewatch_odoo_queue_jobs', 'state', 'channel')})", "{{channel}}"
                )
            ],
            stacked=True,
            none=NO_QUEUE,
        ),
        chart(
            "Jobs running",
            "Jobs whose worker holds its lock now, by database.",
            "short",
            [query(top(ODOO.worst("closewatch_odoo_queue_running_jobs")), NAME)],
            none=NO_QUEUE,
        ),
    ]


def _waits() -> list[Panel]:
    return [
        chart(
            "Oldest job that could run",
            "How long the oldest pending job waits that is due and whose channel is not paused.",
            "s",
            [query(top(ODOO.age("closewatch_odoo_queue_oldest_runnable_timestamp_seconds")), NAME)],
            limits=limits("odoo_queue_runnable_seconds"),
            none="No job waits.",
        ),
        chart(
            "Longest running or taken job",
            "How long the oldest started job runs, and how long the oldest enqueued one has been taken and not begun.",
            "s",
            [
                query(top(ODOO.age("closewatch_odoo_queue_oldest_started_timestamp_seconds")), NAME + " started"),
                query(
                    top(ODOO.age("closewatch_odoo_queue_oldest_enqueued_timestamp_seconds")),
                    NAME + " enqueued",
                    ref="B",
                ),
            ],
            none="No job runs.",
            limits=limits("odoo_queue_started_seconds"),
        ),
        chart(
            "Time since a job was done",
            "With work waiting and nothing done, the runner is gone or stuck.",
            "s",
            [query(top(ODOO.age("closewatch_odoo_queue_last_done_timestamp_seconds")), NAME)],
            none="No job has been done yet.",
            limits=limits("odoo_queue_silence_seconds"),
        ),
    ]


def _failures() -> list[Panel]:
    return [
        chart(
            "Failed jobs by class",
            "What failed and stays failed until somebody looks. The five largest classes and the rest.",
            "short",
            [query(top(ODOO.worst("closewatch_odoo_queue_failed_jobs", "class")), NAME + " {{class}}")],
            none="No job has failed.",
            limits=Limits(alerts=("OdooQueueJobsFailed",)),
        ),
        chart(
            "Jobs that can never run",
            "Jobs that wait for another job that failed or was cancelled.",
            "short",
            [query(top(ODOO.worst("closewatch_odoo_queue_dead_dependency_jobs")), NAME)],
            none=NO_QUEUE,
            limits=limits("odoo_queue_dead_dependency_jobs"),
        ),
        chart(
            "Queue runner",
            "1 while the runner holds its lock in the database, 0 when it is gone.",
            "none",
            [query(f"bottomk({MOST}, {ODOO.worst('closewatch_odoo_queue_runner_alive')})", NAME)],
            none="No watched version of queue_job tells.",
            top=1,
            limits=Limits(alerts=("OdooQueueRunnerMissing",)),
        ),
    ]


def _crons() -> list[Panel]:
    return [
        chart(
            "Scheduled actions: latest is late by",
            "How long ago the action that waits longest should have run.",
            "s",
            [query(top(ODOO.age("closewatch_odoo_cron_oldest_due_timestamp_seconds")), NAME)],
            none="No action is due.",
            limits=Limits(alerts=("OdooCronLate", "OdooCronsBlocked")),
        ),
        chart(
            "Scheduled actions: overdue and failing",
            "Later than 15 minutes and twice their interval; and failing again and again (Odoo 18 and newer).",
            "none",
            [
                query(top(ODOO.worst("closewatch_odoo_cron_overdue")), NAME + " overdue"),
                query(top(ODOO.worst("closewatch_odoo_cron_failing")), NAME + " failing", ref="B"),
            ],
            limits=Limits(((1, ORANGE),), ("OdooCronLate", "OdooCronFailing", "OdooCronDeactivated")),
        ),
        chart(
            "Scheduled actions: last attempt",
            "Time since any action of the database was tried. When it grows, the scheduler stands still.",
            "s",
            [query(top(ODOO.age("closewatch_odoo_cron_last_attempt_timestamp_seconds")), NAME)],
            limits=limits("odoo_cron_silence_seconds"),
        ),
    ]
