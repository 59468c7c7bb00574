"""The dashboards on the demo's Prometheus: no query errs, and after all faults no panel has stayed empty.

All faults that can be there together are, so that it takes minutes and not a quarter of an hour; the judge of each
scenario is test_demo's matter.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from closewatch.demo.scenarios import SCENARIOS
from closewatch.demo.stack import Stack
from closewatch.engines.process import wait_until
from tests.dashboards.queries import needs_data, other_queries, panel_queries
from tests.demo import harms
from tests.fixtures.servers import need_programs

pytestmark = [pytest.mark.demo, pytest.mark.slow, pytest.mark.timeout(600)]
DASHBOARDS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parents[2] / "dashboards").glob("*.json"))
}
ALONE = ("backup-shrunk", "restore-wrong", "server-down", "exporter-down")
"""Faults that would hide others, or be hidden by one."""
Panel = tuple[str, str]
NEVER: dict[Panel, str] = {
    ("closewatch-backups", "Duration"): "files don't tell; pgBackRest does, and is tested with the real program",
    ("closewatch-backups", "Duration against what is usual"): "the same",
    (
        "closewatch-recoverability",
        "Length of the window",
    ): "dumps have no WAL; tests/server/backups has clusters that do",
    ("closewatch-recoverability", "What would be lost now"): "the same",
    ("closewatch-recoverability", "Buckets"): "the demo has no bucket; tests/server/backups has a real S3 server",
    ("closewatch-recoverability", "Signs of tampering"): "the same",
    ("closewatch-overview", "Alertmanagers"): "the demo's own is not watched; tests/server/alertmanager watches one",
    ("closewatch-overview", "Silences"): "the same",
    ("closewatch-overview", "Silenced critical alerts"): "the same",
    ("closewatch-overview", "Critical alerts that nobody was told of"): "the same",
    ("closewatch-overview", "Newest notification"): "the same",
    ("closewatch-redis", "Replication link"): "the demo's store has no replica; tests/server/redis has",
    ("closewatch-redis", "Replica behind its master"): "the same",
    ("closewatch-redis", "Silence of the master"): "the same",
}
"""Panels that the demo can't fill. Each is run on made-up series by tests/dashboards."""


class Watch:
    """Asks, and asks again, the queries of the panels that have shown nothing yet."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.empty: dict[Panel, list[str]] = {}
        for uid, one in DASHBOARDS.items():
            for title, expr in panel_queries(one, rate_interval="20s"):
                self.empty.setdefault((uid, title), []).append(expr)

    def look(self) -> None:
        """Once over all of them; raises where a query errs."""
        for panel, queries in list(self.empty.items()):
            answers = [self.stack.prometheus.query(expr) for expr in queries]
            if any(answers):
                del self.empty[panel]

    def until(self, condition: Callable[[], bool], timeout: float) -> None:
        """Look until a condition holds, or the time is over."""
        deadline = time.monotonic() + timeout
        while not condition() and time.monotonic() < deadline:
            self.look()
            time.sleep(0.5)


def test_every_panel_answers(pytestconfig):
    need_programs(pytestconfig, "prometheus", "alertmanager", "pgbouncer")
    with Stack([limit for one in SCENARIOS for limit in one.lowered]) as stack:
        stack.start(lambda _: None)
        stack.wait_healthy()
        for _, expr in (each for one in DASHBOARDS.values() for each in other_queries(one)):
            stack.prometheus.query(expr)
        watch = Watch(stack)
        needed = {(uid, title) for uid, one in DASHBOARDS.items() for title in needs_data(one)} - NEVER.keys()
        watch.until(lambda: not needed & watch.empty.keys(), 60)
        assert not needed & watch.empty.keys(), "empty although all is well"

        with contextlib.ExitStack() as undo:
            harms.do(stack, undo)
            watch.until(lambda: watch.empty.keys() <= NEVER.keys(), 20)
        together = [one for one in SCENARIOS if one.name not in ALONE]
        with contextlib.ExitStack() as repairs:
            for one in together:
                repairs.callback(one.inject(stack))
            for one in together:
                wait_until(lambda one=one: bool(stack.prometheus.query(one.detected)), 60, f"{one.name} is seen")
            watch.until(lambda: watch.empty.keys() <= NEVER.keys(), 45)
        for one in (one for one in SCENARIOS if one.name in ALONE):
            repair = one.inject(stack)
            wait_until(lambda one=one: bool(stack.prometheus.query(one.detected)), 60, f"{one.name} is seen")
            watch.until(lambda: watch.empty.keys() <= NEVER.keys(), 15)
            repair()
        empty = [f"{uid}: {title}" for uid, title in sorted(watch.empty) if (uid, title) not in NEVER]
        assert not empty, "\n".join(empty)
