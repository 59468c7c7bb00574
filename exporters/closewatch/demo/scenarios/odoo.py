"""Faults of a tenant's Odoo."""

from __future__ import annotations

from closewatch.demo.judge import Expected, Told
from closewatch.demo.scenarios.scenario import DATABASE, LOWERED, TENANT, Repair, Scenario
from closewatch.demo.stack import Stack
from closewatch.demo.thresholds import Threshold
from closewatch.demo.watching import ENVIRONMENT


def _stop_dispatching(stack: Stack) -> Repair:
    """The job runner lives, but its calls reach no worker."""
    odoo = stack.databases.odoos[TENANT]
    odoo.dispatching = False

    def repair() -> None:
        odoo.dispatching = True

    return repair


def _fail_crons(stack: Stack) -> Repair:
    """Every scheduled action of a tenant raises, as after a bad release."""
    odoo = stack.databases.odoos[TENANT]
    odoo.crons_fail = True

    def repair() -> None:
        odoo.crons_fail = False

    return repair


SCENARIOS = (
    Scenario(
        "queue-stuck",
        f"the job runner of tenant {TENANT} hands out no jobs",
        _stop_dispatching,
        f'time() - closewatch_odoo_queue_oldest_runnable_timestamp_seconds{{tenant="{TENANT}"}} > 5',
        Expected(Told("OdooQueueStalled", "critical", labels=DATABASE)),
        note=LOWERED,
        lowered=(
            Threshold("odoo_queue_runnable_seconds", "critical", 10, ENVIRONMENT, TENANT, f"odoo_{TENANT}"),
            Threshold("odoo_queue_silence_seconds", "critical", 8, ENVIRONMENT, TENANT, f"odoo_{TENANT}"),
        ),
    ),
    Scenario(
        "cron-failing",
        f"all scheduled actions of tenant {TENANT} fail",
        _fail_crons,
        f'closewatch_odoo_cron_failing{{tenant="{TENANT}"}} > 0',
        Expected(Told("OdooCronFailing", "critical", labels=DATABASE)),
    ),
)
