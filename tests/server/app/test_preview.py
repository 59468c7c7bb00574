"""`closewatch preview` as a user runs it, on a real Prometheus with a past of its own."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from closewatch.alerting import rendered
from closewatch.engines.prometheus import PrometheusServer
from closewatch.resources import find_data

DAY = 86_400
_numbers = itertools.count(1)
STEP = 60
PLACE = {"environment": "production", "cell": "pg-07"}
DOWN = {
    "alertname": "PostgresqlDown",
    "severity": "critical",
    "cause": "true",
    "layer": "database",
    "target": "pg-07",
    **PLACE,
}
TENANT = {
    "alertname": "OdooDatabaseUnavailable",
    "severity": "critical",
    "layer": "application",
    "tenant": "acme",
    "target": "odoo_acme",
    **PLACE,
}
COMMON = {"domain": "availability", "audience": "platform", "closewatch_mode": "observe", "alertstate": "firing"}


def lines(now: int) -> list[str]:
    """A server down for ten minutes, nine days ago at 02:10, and its tenant with it; later the tenant alone."""
    night = (now - 9 * DAY) // DAY * DAY + 2 * 3600 + 600
    noon = (now - 4 * DAY) // DAY * DAY + 12 * 3600
    found = ["# TYPE ALERTS gauge", "# TYPE closewatch_target_up gauge"]
    alerts = [(DOWN, night, 600), (TENANT, night + 60, 540), (TENANT, noon, 3600)]
    for labels, start, length in alerts:
        pairs = ",".join(f'{name}="{value}"' for name, value in {**labels, **COMMON}.items())
        found += [f"ALERTS{{{pairs}}} 1 {at}" for at in range(start, start + length, STEP)]
    up = ",".join(f'{name}="{value}"' for name, value in {**PLACE, "kind": "postgresql", "target": "pg-07"}.items())
    found += [f"closewatch_target_up{{{up}}} 1 {at}" for at in range(now - 10 * DAY, now - 600, 240)]
    return [*found, "# EOF"]


@pytest.fixture
def past(prometheus, run_folder, promtool) -> PrometheusServer:
    """A Prometheus with the shipped rules in observe mode and ten days of past."""
    rules = {
        f"rules/{path.name}": rendered(path.read_text("utf-8"), mode="observe")
        for path in find_data("alerting/rules").glob("*.yml")
    }
    config = yaml.safe_dump({"rule_files": ["rules/*.yml"], "global": {"evaluation_interval": "1h"}})
    folder = run_folder.folder(f"past{next(_numbers)}")
    (folder / "past.txt").write_text("\n".join(lines(int(time.time()))) + "\n", "utf-8")
    made = PrometheusServer(run_folder, config, rules, name=f"prometheus-{folder.name}")
    blocks = [promtool, "tsdb", "create-blocks-from", "openmetrics", folder / "past.txt", made.folder / "data"]
    subprocess.run(blocks, check=True, capture_output=True, timeout=60)
    yield made.start()
    made.stop()


def preview(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "closewatch", "preview", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_past_is_told_as_it_would_have_been_sent(past):
    done = preview("--prometheus", past.url, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    receivers = {one["receiver"]: one for one in found["receivers"]}
    assert receivers["closewatch-page"]["messages"] == 2
    assert receivers["closewatch-page"]["night"] == 1
    assert receivers["closewatch-service"]["messages"] == 1
    alerts = {one["alert"]: one for one in found["alerts"]}
    assert alerts["PostgresqlDown"]["told"] == {"closewatch-page": 1, "closewatch-service": 1}
    tenant = alerts["OdooDatabaseUnavailable"]
    assert (tenant["episodes"], tenant["hidden"], tenant["noisiest"]) == (2, 1, "acme")
    assert tenant["told"] == {"closewatch-page": 1}
    assert "RedisDown" in found["silent"] or "PostgresqlStandbyMissing" in found["silent"]
    assert 9.9 < (found["until"] - found["since"]) / DAY < 10.1

    text = preview("--prometheus", past.url, "--timezone", "Asia/Tokyo").stdout
    assert "platform on-call, paged (closewatch-page)" in text
    assert "PostgresqlDown" in text


def test_own_routes_are_taken(past, tmp_path: Path):
    routes = tmp_path / "alertmanager.yml"
    routes.write_text(
        yaml.safe_dump({"route": {"receiver": "us"}, "receivers": [{"name": "us", "webhook_configs": [1]}]})
    )
    found = json.loads(preview("--prometheus", past.url, "--alertmanager-config", routes, "--json").stdout)
    assert [one["receiver"] for one in found["receivers"]] == ["us"]


def test_a_short_past_is_enough(past):
    done = preview("--prometheus", past.url, "--since", "2d")
    assert done.returncode == 0, done.stderr
    assert "Nobody would have been told anything." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prometheus", "ftp://x"], "write http://host:port"),
        (["--prometheus", "http://user:secret@127.0.0.1:1"], "without a login in it"),
        (["--prometheus", "http://127.0.0.1:1"], "can't be asked: [Errno 111]"),
        (["--prometheus", "http://127.0.0.1:1", "--since", "soon"], "'soon' is not a duration"),
        (["--prometheus", "http://127.0.0.1:1", "--since", "1y"], "from a minute to 90 days"),
        (["--prometheus", "http://127.0.0.1:1", "--timezone", "Mars"], "Mars"),
        (["--prometheus", "http://127.0.0.1:1", "--user", "x"], "--password-file"),
        (["--prometheus", "http://127.0.0.1:1", "--token-file", "/nowhere"], "/nowhere"),
        (["--prometheus", "http://127.0.0.1:1", "--alertmanager-config", "/nowhere"], "/nowhere"),
    ],
)
def test_a_mistake_is_named(arguments, said):
    done = preview(*arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_prometheus_without_the_rules_says_what_to_do(prometheus):
    server = prometheus("global: {}\n")
    done = preview("--prometheus", server.url)
    assert done.returncode == 1
    assert "closewatch rules render DIR --mode observe" in done.stderr
