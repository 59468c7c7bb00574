"""Coverage: which watched databases a passed restore test brought back lately, with books that are right."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from closewatch.core.records.record import Record, make, timestamp
from closewatch.core.targets import Target
from closewatch.restores.coverage import PlanResult, ratios

NOW = 1_000_000.0
RIGHT = {"books": {"looked": "x"}, "wrong": []}


def database(name: str, tenant: str | None = None, cell: str = "c1", environment: str = "prod") -> Target:
    settings = SimpleNamespace(database=name)
    return Target.of("odoo", name, environment=environment, cell=cell, tenant=tenant, settings=settings)


def plan_of(found: dict[str, Any], ago: float = 10.0, every: float = 100.0, **labels: str) -> PlanResult:
    where = {"environment": "prod", "cell": "c1", **labels}
    target = Target.of("restores", "plan", **where, settings=SimpleNamespace(every=every))
    times = {"start": timestamp(NOW - ago), "end": timestamp(NOW - ago)}
    return PlanResult(target, make({**times, "result": "passed"}, {"databases": found}, None))


def test_one_physical_restore_covers_all_that_was_in_it():
    databases = [database("a", "acme"), database("b", "globex"), database("c", "initech")]
    assert ratios(databases, [plan_of({"a": RIGHT, "b": RIGHT})], NOW) == {("prod", "c1"): 2 / 3}


def test_what_was_not_looked_at_or_is_wrong_is_not_covered():
    databases = [database("a"), database("b"), database("c")]
    found = {"a": {}, "b": {"books": {"x": 1}, "wrong": ["unbalanced"]}, "c": {"books": {}}}
    assert ratios(databases, [plan_of(found)], NOW) == {("prod", "c1"): 0.0}


def test_a_test_counts_for_one_and_a_half_intervals():
    assert ratios([database("a")], [plan_of({"a": RIGHT}, ago=150)], NOW) == {("prod", "c1"): 1.0}
    assert ratios([database("a")], [plan_of({"a": RIGHT}, ago=151)], NOW) == {("prod", "c1"): 0.0}


def test_another_cell_or_environment_does_not_count_but_the_tenants_own_plan_does():
    far = plan_of({"a": RIGHT}, cell="c2")
    assert ratios([database("a", "acme")], [far], NOW) == {("prod", "c1"): 0.0}
    assert ratios([database("a", "acme")], [plan_of({"a": RIGHT}, cell="c2", tenant="acme")], NOW) == {
        ("prod", "c1"): 1.0
    }
    assert ratios([database("a", environment="staging")], [plan_of({"a": RIGHT})], NOW) == {("staging", "c1"): 0.0}


def test_without_a_passed_record_or_payload_nothing_is_covered():
    plan = plan_of({"a": RIGHT})
    assert ratios([database("a")], [PlanResult(plan.target, None)], NOW) == {("prod", "c1"): 0.0}
    assert plan.passed is not None
    expired = PlanResult(plan.target, Record(plan.passed.header_text, None))
    assert ratios([database("a")], [expired], NOW) == {("prod", "c1"): 0.0}
    assert ratios([], [plan], NOW) == {}
