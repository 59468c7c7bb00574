"""`closewatch serve` as a process of its own, asked as Prometheus and people ask it."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from closewatch.engines.folder import free_port
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from tests.fixtures.watch import ROLE, SECRET, grant


@dataclass
class Served:
    """A running process, its configuration and its log."""

    process: subprocess.Popen[bytes]
    config: Path
    log: Path
    url: str

    def get(self, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> tuple[int, str]:
        """Status and body."""
        request = urllib.request.Request(self.url + path, headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def values(self, path: str) -> dict[str, list[tuple[dict[str, str], float]]]:
        """The samples of an exposition by name."""
        status, body = self.get(path)
        assert status == 200, body
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(body):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts `closewatch serve` and waits until it is ready."""
    made: list[Served] = []
    (tmp_path / "password").write_text(SECRET)

    def start(*targets: dict[str, Any], options: tuple[str, ...] = (), ready: int = 200, **more: Any) -> Served:
        config = tmp_path / "closewatch.yml"
        config.write_text(yaml.safe_dump({"environment": "test", "targets": list(targets), **more}))
        address = f"127.0.0.1:{free_port()}"
        log = tmp_path / f"log{len(made)}"
        command = [sys.executable, "-m", "closewatch", "serve", str(config), "--web.listen-address", address]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*command, "--log-level", "debug", *options],
                stdout=out,
                stderr=out,
                env={**os.environ, "NO_COLOR": "1"},
            )
        served = Served(process, config, log, f"http://{address}")
        made.append(served)
        wait_until(lambda: _ready(served, ready), 30, "closewatch serve is ready")
        return served

    yield start
    for served in made:
        served.process.terminate()
        served.process.wait(20)
        assert SECRET not in served.log.read_text()


def _ready(served: Served, status: int) -> bool:
    assert served.process.poll() is None, served.log.read_text()
    try:
        return served.get("/-/ready")[0] == status
    except OSError:
        return False


@pytest.fixture
def target(newest_postgres: PostgresServer) -> dict[str, Any]:
    """The newest server as a target."""
    grant(newest_postgres)
    login = {"user": ROLE, "password": {"file": "password"}}
    return {"kind": "postgresql", "name": "pg", "hosts": [newest_postgres.address], **login}


def test_probe_metrics_and_discovery_document(
    serve: Serve, target: dict[str, Any], newest_postgres: PostgresServer
) -> None:
    newest_postgres.create_database("odoo_acme")
    served = serve(
        {**target, "discover": [{"databases": "odoo_(?P<tenant>.+)"}]}, tenants={"acme": {"state": "suspended"}}
    )
    labels = {"environment": "test", "cell": "pg", "target": "pg", "kind": "postgresql"}
    assert served.values("/probe?target=pg")["closewatch_target_up"] == [(labels, 1.0)]
    status, body = served.get("/sd")
    documents = {entry["labels"]["target"]: entry for entry in json.loads(body)}
    assert status == 200
    assert documents["odoo_acme"] == {
        "targets": [served.url.removeprefix("http://")],
        "labels": {
            "__metrics_path__": "/probe",
            "__param_target": "odoo_acme",
            "__param_kind": "odoo",
            "kind": "odoo",
            "environment": "test",
            "cell": "pg",
            "tenant": "acme",
            "target": "odoo_acme",
        },
    }
    assert SECRET not in body
    own = served.values("/metrics")
    assert own["closewatch_config_last_reload_successful"] == [({}, 1.0)]
    assert {labels["target"]: value for labels, value in own["closewatch_target_expected"]} == {"pg": 1, "odoo_acme": 0}
    assert own["closewatch_discovery_success"][0][1] == 1
    assert "process_resident_memory_bytes" in own
    everything = served.values("/metrics/targets")
    assert {labels["target"] for labels, _ in everything["closewatch_target_up"]} == {"pg", "odoo_acme"}
    newest_postgres.drop_database("odoo_acme")


def test_what_is_not_there(serve: Serve, target: dict[str, Any]) -> None:
    served = serve(target)
    assert served.get("/probe?target=nobody")[0] == 404
    assert served.get("/probe?target=127.0.0.1:5432")[0] == 404
    assert served.get("/probe")[0] == 400
    assert served.get("/probe?target=pg&target=pg")[0] == 400
    assert served.get("/nowhere")[0] == 404
    assert served.get("/-/healthy")[0] == 200
    assert served.get("/-/reload")[0] == 405
    assert served.get("/-/reload", method="POST")[0] == 403


def test_debug_explains(serve: Serve, target: dict[str, Any]) -> None:
    status, body = serve(target).get("/probe?target=pg&debug=true")
    assert status == 200
    assert "all is well" in body
    assert SECRET not in body


def test_the_scrape_timeout_of_prometheus_is_kept(
    serve: Serve, target: dict[str, Any], tcp_proxy: Callable[..., Any]
) -> None:
    host, _, port = target["hosts"][0].partition(":")
    proxy = tcp_proxy(host, int(port))
    served = serve({**target, "hosts": [proxy.address]})
    assert served.values("/probe?target=pg")["closewatch_target_up"][0][1] == 1
    proxy.pause()
    status, body = served.get("/probe?target=pg", {"X-Prometheus-Scrape-Timeout-Seconds": "1"})
    assert status == 200
    assert (
        'closewatch_target_failure{cell="pg",environment="test",kind="postgresql",reason="timeout",target="pg"} 1.0'
        in body
    )


def test_reload_by_signal_keeps_the_old_configuration_where_the_new_is_bad(
    serve: Serve, target: dict[str, Any]
) -> None:
    served = serve(target)

    def loaded() -> float:
        return served.values("/metrics")["closewatch_config_last_reload_successful"][0][1]

    good = served.config.read_text()
    served.config.write_text(good.replace("hosts:", "hostz:"))
    served.process.send_signal(signal.SIGHUP)
    wait_until(lambda: loaded() == 0, 10, "the bad configuration was noticed")
    assert served.values("/probe?target=pg")["closewatch_target_up"][0][1] == 1
    assert "hostz" in served.log.read_text()
    served.config.write_text(good.replace("name: pg", "name: renamed"))
    served.process.send_signal(signal.SIGHUP)
    wait_until(lambda: loaded() == 1, 10, "the good configuration was taken")
    assert served.get("/probe?target=pg")[0] == 404
    assert served.values("/probe?target=renamed")["closewatch_target_up"][0][1] == 1


def test_too_many_targets_for_one_scrape(serve: Serve, target: dict[str, Any]) -> None:
    many = [{**target, "name": f"pg{number}", "hosts": [f"127.0.0.1:{number + 1}"]} for number in range(21)]
    status, body = serve(*many).get("/metrics/targets")
    assert status == 400
    assert "/sd" in body


def test_the_page_shows_a_stranger_counts_only(serve: Serve, target: dict[str, Any]) -> None:
    served = serve(target)
    served.get("/probe?target=pg")
    status, near = served.get("/")
    assert status == 200
    assert "pg" in near
    _, far = served.get("/", {"X-Forwarded-For": "192.0.2.1"})
    assert target["hosts"][0] not in far
    assert ">pg<" not in far


def test_basic_auth_of_the_web_config(serve: Serve, target: dict[str, Any], tmp_path: Path) -> None:
    password = "for-the-web-only"
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    web = tmp_path / "web.yml"
    web.write_text(yaml.safe_dump({"basic_auth_users": {"prometheus": hashed}}))
    served = serve(target, options=("--web.config.file", str(web)), ready=401)
    token = base64.b64encode(f"prometheus:{password}".encode()).decode()
    assert served.get("/metrics")[0] == 401
    assert served.get("/metrics", {"Authorization": "Basic eDp4"})[0] == 401
    known = {"Authorization": f"Basic {token}"}
    wait_until(lambda: served.get("/-/ready", known)[0] == 200, 20, "ready for the authenticated")
    assert served.get("/metrics", known)[0] == 200
    assert served.get("/probe?target=pg&debug=true", {**known, "X-Forwarded-For": "192.0.2.1"})[0] == 200
    assert password not in served.log.read_text()


def test_command_line_checks_and_probes(target: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "password").write_text(SECRET)
    config = tmp_path / "closewatch.yml"
    config.write_text(yaml.safe_dump({"environment": "test", "targets": [target]}))

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "closewatch", *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        assert SECRET not in done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr

    assert run("check", str(config))[0] == 0
    code, said = run("check", str(config), "--connect")
    assert (code, "well" in said) == (0, True), said
    code, said = run("probe", "pg", "--config", str(config))
    assert (code, "all is well" in said) == (0, True), said
    code, said = run("probe", "nobody", "--config", str(config))
    assert code == 1
    assert "there are: pg" in said
    assert run("schema")[0] == 0
