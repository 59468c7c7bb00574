"""What a scenario of the demo is: a real fault, and the page that it must lead to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from closewatch.demo.databases import CELL, TENANTS
from closewatch.demo.judge import Expected, Told
from closewatch.demo.stack import Stack
from closewatch.demo.thresholds import Threshold

Repair = Callable[[], None]
TENANT = TENANTS[0]
SHARED = {"environment": "production", "cell": CELL, "tenant": ""}
"""Labels of what the tenants of the first cell share."""
SERVER = {**SHARED, "target": CELL, "layer": "database"}
DATABASE = {
    "environment": "production",
    "cell": CELL,
    "target": f"odoo_{TENANT}",
    "tenant": TENANT,
    "layer": "application",
}
SERVICE = "closewatch-service"
LOWERED = "the limit is lowered to seconds for this target, by closewatch_threshold; the text names the shipped default"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault. `title` says in a line what happens, `seen` what `detected` means, `note` what else is to be known.

    `inject` does real harm to a real server and gives back what repairs it. `detected` is the PromQL that says when
    closewatch has seen it, long before anybody is paged. `lowered` are limits that the demo can't wait for.
    """

    name: str
    title: str
    inject: Callable[[Stack], Repair]
    detected: str
    expected: Expected
    seen: str = "closewatch sees it"
    note: str = ""
    lowered: tuple[Threshold, ...] = ()


def cause(alertname: str, labels: dict[str, str] = SERVER) -> tuple[Told, ...]:
    """A cause hides what service owners would hear, so they get the cause itself."""
    return (Told(alertname, "critical", SERVICE, labels),)
