"""The faults that the demo can inject, each with the page that it must lead to; a module a concern."""

from __future__ import annotations

from closewatch.demo.scenarios import backups, certificates, closewatch, odoo, pgbouncer, postgresql, redis, restores
from closewatch.demo.scenarios.scenario import Scenario
from closewatch.engines.process import EngineError

SCENARIOS: tuple[Scenario, ...] = (
    *postgresql.SCENARIOS,
    *pgbouncer.SCENARIOS,
    *odoo.SCENARIOS,
    *redis.SCENARIOS,
    *certificates.SCENARIOS,
    *closewatch.SCENARIOS,
    *backups.SCENARIOS,
    *restores.SCENARIOS,
)


def find_scenario(name: str) -> Scenario:
    """A scenario by its name. Raises EngineError naming all of them."""
    for scenario in SCENARIOS:
        if scenario.name == name:
            return scenario
    raise EngineError(f"no scenario {name!r}; there are: {', '.join(each.name for each in SCENARIOS)}")
