"""Faults of the pooler."""

from __future__ import annotations

from closewatch.demo.databases import OTHER_CELL
from closewatch.demo.judge import Expected, Told
from closewatch.demo.pooling import NAME, POOL_SIZE
from closewatch.demo.scenarios.scenario import LOWERED, Repair, Scenario, cause
from closewatch.demo.stack import Stack
from closewatch.demo.thresholds import Threshold
from closewatch.demo.watching import ENVIRONMENT
from closewatch.engines.binaries import find

_POOLER = {"environment": ENVIRONMENT, "cell": OTHER_CELL, "tenant": "", "target": NAME, "layer": "database"}
_WAITING = 3
_CHECK = "pgbouncer_wait_seconds"


def _take_the_pool(stack: Stack) -> Repair:
    """A batch keeps every connection of the pool; who comes after it waits."""
    if stack.pooling is None:
        find("pgbouncer")  # says how to get it
    assert stack.pooling is not None
    sessions = [stack.pooling.log_in("SELECT pg_sleep(600)") for _ in range(POOL_SIZE - 1 + _WAITING)]

    def repair() -> None:
        for session in sessions:
            session.finish()

    return repair


SCENARIOS = (
    Scenario(
        "pool-exhausted",
        "a batch keeps every connection of PgBouncer's pool, others wait behind it",
        _take_the_pool,
        f'closewatch_pgbouncer_pool_clients{{target="{NAME}",state="waiting"}} > 0',
        Expected(
            Told("PgbouncerSaturated", "critical", labels={**_POOLER, "cause": "true"}),
            also=cause("PgbouncerSaturated", _POOLER),
        ),
        note=LOWERED,
        # The ticket beside the page would come or not, depending on how soon the fault is repaired.
        lowered=(
            Threshold(_CHECK, "critical", 4, ENVIRONMENT, "", NAME),
            Threshold(_CHECK, "warning", 3600, ENVIRONMENT, "", NAME),
        ),
    ),
)
