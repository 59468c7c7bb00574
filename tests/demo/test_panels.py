"""The dashboards on the demo's Prometheus: no query errs, no panel that must show something is empty."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from closewatch.demo.stack import Stack
from tests.dashboards.queries import needs_data, other_queries, panel_queries
from tests.fixtures.servers import need_programs

pytestmark = [pytest.mark.demo, pytest.mark.slow, pytest.mark.timeout(300)]
DASHBOARDS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parents[2] / "dashboards").glob("*.json"))
}


def test_panels_answer_on_the_demos_prometheus(pytestconfig):
    need_programs(pytestconfig, "prometheus", "alertmanager")
    queries = [
        ((uid, title), expr)
        for uid, one in DASHBOARDS.items()
        for title, expr in panel_queries(one, rate_interval="20s")
    ]
    with Stack() as stack:
        stack.start(lambda _: None)
        stack.wait_healthy()
        for _, expr in (each for one in DASHBOARDS.values() for each in other_queries(one)):
            stack.prometheus.query(expr)
        empty = {(uid, title) for uid, one in DASHBOARDS.items() for title in needs_data(one)}
        deadline = time.monotonic() + 60
        while empty and time.monotonic() < deadline:
            empty -= {title for title, expr in queries if stack.prometheus.query(expr)}
    assert empty == set()
