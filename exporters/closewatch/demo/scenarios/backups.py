"""Faults of a tenant's backups."""

from __future__ import annotations

from closewatch.demo.backups import HOUR, TARGET, TENANT
from closewatch.demo.databases import CELL
from closewatch.demo.judge import Expected, Told
from closewatch.demo.scenarios.scenario import Repair, Scenario
from closewatch.demo.stack import Stack
from closewatch.demo.watching import ENVIRONMENT

PLACE = {
    "environment": ENVIRONMENT,
    "cell": CELL,
    "tenant": TENANT,
    "target": TARGET,
    "layer": "storage",
    "domain": "recoverability",
}


def _lose_two_nights(stack: Stack) -> Repair:
    """The backup job has not run for two nights: nothing tells of it, the files just aren't there."""
    return stack.backups.lose(2)


def _dump_the_wrong_database(stack: Stack) -> Repair:
    """Tonight's dump is whole and new, but of an empty database: a name was changed in the job."""
    file = stack.backups.dump("postgres", f"{TENANT}-tonight.dump")
    stack.backups.date(file, HOUR / 60)
    return file.unlink


SCENARIOS = (
    Scenario(
        "backup-missing",
        f"tenant {TENANT} has had no backup for two nights",
        _lose_two_nights,
        f'time() - closewatch_backup_last_success_timestamp_seconds{{target="{TARGET}"}} > 50 * 3600',
        Expected(Told("BackupMissing", "critical", labels=PLACE)),
    ),
    Scenario(
        "backup-shrunk",
        f"tonight's dump of tenant {TENANT} is whole, new, and nearly empty",
        _dump_the_wrong_database,
        f'closewatch_backup_size_bytes{{target="{TARGET}"}}'
        f' / on (target, type) closewatch_backup_usual_size_bytes{{target="{TARGET}"}} < 0.5',
        # Nobody is woken: the older, whole backups are there for days.
        Expected(Told("BackupShrunk", "warning", "closewatch-ticket", {**PLACE, "type": "dump"})),
    ),
)
