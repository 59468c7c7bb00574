"""Which share of the watched Odoo databases was brought back lately? Pure: from targets and records to a number.

A database counts as covered when a passed test of the same environment, and of its cell or tenant, looked at its books
and found them right, within one and a half intervals of its plan. A suspended or leaving tenant isn't asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from closewatch.core.records import Record
from closewatch.core.targets import Target

LATE = 1.5
"""Intervals."""


@dataclass(frozen=True, slots=True)
class PlanResult:
    """A plan with its newest record that passed, where there is one."""

    target: Target
    passed: Record | None


def ratios(databases: Sequence[Target], plans: Iterable[PlanResult], now: float) -> Mapping[tuple[str, str], float]:
    """The share by (environment, cell) of these databases (targets of kind odoo) that is covered."""
    fresh = [plan for plan in plans if plan.passed is not None and now - plan.passed.end <= LATE * _every(plan.target)]
    counted: dict[tuple[str, str], list[bool]] = {}
    for database in databases:
        place = (database.labels.get("environment", ""), database.labels.get("cell", ""))
        counted.setdefault(place, []).append(any(_covers(plan, database) for plan in fresh))
    return {place: sum(each) / len(each) for place, each in counted.items()}


def _every(target: Target) -> float:
    every: float = target.settings.every
    return every


def _covers(plan: PlanResult, database: Target) -> bool:
    assert plan.passed is not None
    mine, its = plan.target.labels, database.labels
    if mine.get("environment") != its.get("environment"):
        return False
    same_tenant = mine.get("tenant") is not None and mine.get("tenant") == its.get("tenant")
    if not same_tenant and mine.get("cell") != its.get("cell"):
        return False
    found = plan.passed.payload.get("databases", {}).get(database.settings.database) or {}
    return bool(found.get("books")) and not found.get("wrong")
