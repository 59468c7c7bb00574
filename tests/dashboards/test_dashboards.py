"""The dashboards: what is committed is what the code writes, and every query answers on a real Prometheus."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from closewatch.core.reasons import Reason
from closewatch.engines.prometheus import PrometheusServer
from closewatch.restores.why import Why
from dashboards import recoverability
from tests.contract import checks_dashboards
from tests.contract.checks_metrics import FOREIGN
from tests.contract.tree import Declared, declarations, uses
from tests.dashboards.everything import TARGETS, Everything
from tests.dashboards.queries import needs_data, other_queries, panel_queries, panels

ROOT = Path(__file__).parents[2]
DASHBOARDS = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "dashboards").glob("*.json"))
}
OVERVIEW = DASHBOARDS["closewatch-overview"]
RULES = """groups:
  - name: example
    rules:
      - alert: SomethingIsDown
        expr: max by (environment, cell, tenant, target) (closewatch_target_up == 0)
        labels: {severity: critical, domain: availability, audience: platform, layer: database, cause: "true"}
      - alert: SomethingIsDown
        expr: max by (environment, cell, tenant, target) (closewatch_target_up == 0)
        labels: {severity: warning, domain: availability, audience: platform, layer: database}
"""


def test_the_dashboards_are_whole() -> None:
    assert checks_dashboards.check(ROOT) == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for folder in ("dashboards", "alerting"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('"unit": "none"', '"unit": ""', "has no unit"),
        ('"title": "Failing collectors"', '"title": "Critical alerts"', "two panels are called 'Critical alerts'"),
        ("${datasource}", "prometheus", "asks another data source"),
        ("[$__rate_interval]", "[5m]", "takes a rate over something else"),
        ("max by (environment", "max buy (environment", "not PromQL"),
        ("$environment", "$enviroment", "uses the variable enviroment, which it doesn't have"),
        ('"editable": false', '"editable": true', "could not be provisioned"),
        ('"showHeader"', '"showHeadr"', "not what the SDK's types make of it"),
        ('"uid": "closewatch-overview"', '"uid": "overview"', "its uid is 'overview'"),
    ],
)
def test_a_slip_in_the_json_is_found(copy: Path, before: str, after: str, complaint: str) -> None:
    path = copy / "dashboards/closewatch-overview.json"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")

    problems = checks_dashboards.check(copy)

    assert any(complaint in problem for problem in problems), problems
    repair = "dashboards: closewatch-overview.json is not what the code writes; run: python -m dashboards.build"
    assert problems[0] == repair


def test_a_runbook_of_no_alert_is_found(copy: Path) -> None:
    for path in (copy / "alerting/rules").glob("*.yml"):
        path.unlink()

    assert any("an alert that doesn't exist" in problem for problem in checks_dashboards.check(copy))


def test_every_metric_is_declared() -> None:
    declared = {found.name for found in declarations(ROOT) if isinstance(found, Declared)}
    listed = yaml.safe_load((ROOT / FOREIGN).read_text(encoding="utf-8"))
    declared |= {name for component in listed.values() for name in component["metrics"]}
    declared |= {"closewatch:finding", "closewatch:restore_data_loss:seconds"}  # recorded by our rules

    used = {use.name for one in DASHBOARDS.values() for title, expr in panel_queries(one) for use in uses(expr, title)}

    assert sorted(used - declared) == []


def test_every_reason_has_its_words() -> None:
    tables = [panel for panel in panels(OVERVIEW) if panel["type"] == "table"]
    words = [
        set(value["value"][0]["options"])
        for panel in tables
        for each in panel["fieldConfig"]["overrides"]
        for value in each["properties"]
        if each["matcher"]["options"] == "Reason" and value["id"] == "mappings"
    ]

    assert words == [set(Reason), set(Reason)]


def test_every_reason_of_a_restore_has_its_words() -> None:
    assert set(recoverability.REASONS) == set(Why)


def test_every_query_answers(prometheus: Callable[..., PrometheusServer]) -> None:
    with Everything(ROOT) as pages:
        server = prometheus(_scraping(pages.port), {"rules/example.yml": RULES})
        queries = [
            (f"{uid}: {title}", expr)
            for uid, one in DASHBOARDS.items()
            for title, expr in [*panel_queries(one, rate_interval="20s"), *other_queries(one)]
        ]
        deadline = time.monotonic() + 60
        silent = queries
        while silent and time.monotonic() < deadline:
            silent = [(title, expr) for title, expr in silent if not server.query(expr)]

    assert silent == []


def test_without_closewatch_no_figure_is_green(prometheus: Callable[..., PrometheusServer]) -> None:
    server = prometheus("global: {}\n")
    figures = {panel["title"] for panel in panels(OVERVIEW) if panel["type"] == "stat"}

    answers = {title: server.query(expr) for title, expr in panel_queries(OVERVIEW) if title in figures}

    assert figures <= needs_data(OVERVIEW)
    assert answers == {title: [] for title in figures}


def _scraping(port: int) -> str:
    """Two closewatch processes that watch the same targets."""
    address = [f"127.0.0.1:{port}", f"localhost:{port}"]
    jobs: list[dict[str, Any]] = [
        {"job_name": "closewatch", "metrics_path": "/process", "static_configs": [{"targets": address}]}
    ]
    jobs += [
        {
            "job_name": f"closewatch-targets-{name}",
            "metrics_path": f"/{name}",
            "honor_labels": True,
            "static_configs": [{"targets": address, "labels": labels}],
        }
        for name, labels in TARGETS.items()
    ]
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules/*.yml"],
            "scrape_configs": jobs,
        }
    )
