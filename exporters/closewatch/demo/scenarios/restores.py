"""Faults that only a restore shows."""

from __future__ import annotations

from closewatch.demo.backups import TENANT
from closewatch.demo.databases import CELL, TENANTS
from closewatch.demo.judge import Expected, Told
from closewatch.demo.restores import TARGET
from closewatch.demo.scenarios.scenario import Repair, Scenario
from closewatch.demo.stack import Stack
from closewatch.demo.watching import ENVIRONMENT

PLAN = {
    "environment": ENVIRONMENT,
    "cell": CELL,
    "tenant": TENANT,
    "target": TARGET,
    "layer": "storage",
    "domain": "recoverability",
}


def _back_up_another_tenant(stack: Stack) -> Repair:
    """Tonight's dump is whole, new and of the usual size, but of another tenant: a name was changed in the job."""
    return stack.restores.spoil(f"odoo_{TENANTS[1]}")


SCENARIOS = (
    Scenario(
        "restore-wrong",
        f"tonight's dump of tenant {TENANT} is whole, new and as large as ever, and of another tenant",
        _back_up_another_tenant,
        f'closewatch_restore_test_failure_info{{target="{TARGET}",reason="wrong_backup"}} == 1',
        # Nobody is woken: the dumps of the nights before are there.
        Expected(Told("RestoreTestFailed", "warning", "closewatch-ticket", PLAN)),
        seen="a restore test says that it is a backup of something else",
    ),
)
