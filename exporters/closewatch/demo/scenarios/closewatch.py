"""Faults of closewatch itself."""

from __future__ import annotations

from closewatch.demo.judge import Expected, Told
from closewatch.demo.scenarios.scenario import Repair, Scenario
from closewatch.demo.stack import Stack


def _stop_closewatch(stack: Stack) -> Repair:
    stack.watcher.stop()
    return stack.watcher.start


SCENARIOS = (
    Scenario(
        "exporter-down",
        "closewatch itself is stopped",
        _stop_closewatch,
        'up{job="closewatch"} == 0',
        Expected(Told("ClosewatchExporterDown", "critical", labels={"layer": "platform", "tenant": "", "cause": ""})),
        seen="Prometheus misses closewatch",
    ),
)
