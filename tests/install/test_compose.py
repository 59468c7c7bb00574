"""The compose file and what it mounts: it is all there, each part takes its own, and nothing listens to strangers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from closewatch.engines.binaries import client_program
from closewatch.engines.postgres import PostgresServer
from closewatch.kinds import load

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "compose"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]


def mounts(service: str) -> dict[str, Path]:
    """Files and folders of the project by where they are mounted."""
    found = [each.split(":") for each in SERVICES[service].get("volumes", ()) if each.startswith(".")]
    return {target: (FOLDER / source).resolve() for source, target, _ in found}


def test_what_is_mounted_is_there_and_read_only() -> None:
    for name, service in SERVICES.items():
        assert [path for path in mounts(name).values() if not path.exists()] == []
        for each in service.get("volumes", ()):
            source, *rest = each.split(":")
            assert rest[-1] == "ro" if source.startswith(".") else source in COMPOSE["volumes"], each


def test_images_are_of_one_version() -> None:
    for name, service in SERVICES.items():
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?", service["image"]), name


def test_everything_listens_on_loopback() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]

    assert len(ports) == 4
    assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in ports)


def test_no_password_is_in_the_files_and_each_is_made_by_the_commands() -> None:
    text = (FOLDER / "compose.yaml").read_text("utf-8")
    [made] = re.findall(r"for name in ([a-z ]+); do openssl", text)

    assert set(made.split()) == set(COMPOSE["secrets"])
    assert {each["file"] for each in COMPOSE["secrets"].values()} == {f"./secrets/{name}" for name in made.split()}
    assert "/secrets/" in (FOLDER / ".gitignore").read_text("utf-8").splitlines()
    for service in SERVICES.values():
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        given = {key: value for key, value in service.get("environment", {}).items() if "PASSWORD" in key}
        assert all(key.endswith("_FILE") and value.startswith("/run/secrets/") for key, value in given.items())


def test_closewatch_takes_its_configuration() -> None:
    [target] = load(FOLDER / "closewatch.yml").targets

    assert target.model_dump()["hosts"] == ("books:5432",)
    assert "books" in SERVICES
    assert str(target.model_dump()["password"]) == "***"
    assert "file: /run/secrets/closewatch" in (FOLDER / "closewatch.yml").read_text("utf-8")


def test_closewatch_runs_as_in_the_chart() -> None:
    service = SERVICES["closewatch"]

    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert "/-/healthy" in str(service["healthcheck"]["test"])
    assert list(mounts("closewatch")) == ["/etc/closewatch/closewatch.yml"]


def test_prometheus_takes_its_configuration(promtool: Path, tmp_path: Path) -> None:
    text = (FOLDER / "prometheus.yml").read_text("utf-8")
    rules = mounts("prometheus")["/etc/prometheus/closewatch"]
    path = tmp_path / "prometheus.yml"
    path.write_text(text.replace("/etc/prometheus/closewatch", str(rules)), encoding="utf-8")

    done = subprocess.run([promtool, "check", "config", path], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    for host, port in re.findall(r'"(?:http://)?([a-z]+):(\d+)', text):
        assert f"127.0.0.1:{port}:{port}" in SERVICES[host]["ports"]


def test_alertmanager_takes_its_configuration(amtool: Path) -> None:
    subprocess.run([amtool, "check-config", FOLDER / "alertmanager.yml"], capture_output=True, check=True)


def test_grafana_finds_its_data_source_and_dashboards() -> None:
    [source] = yaml.safe_load((FOLDER / "grafana/datasources/closewatch.yml").read_text("utf-8"))["datasources"]
    [provider] = yaml.safe_load((FOLDER / "grafana/dashboards/closewatch.yml").read_text("utf-8"))["providers"]
    folders = mounts("grafana")

    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    boards = folders[provider["options"]["path"]]
    assert boards == ROOT / "dashboards"
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (boards / home.name).exists()
    assert str(home.parent) == provider["options"]["path"]
    for path in boards.glob("*.json"):
        variables = json.loads(path.read_text("utf-8"))["templating"]["list"]
        assert [each["query"] for each in variables if each["type"] == "datasource"] == [source["type"]], path.name


@pytest.mark.server
@pytest.mark.pg("==18")
def test_the_role_is_made_and_can_log_in(new_postgres: Callable[..., PostgresServer], tmp_path: Path) -> None:
    """On a real server, by the script that the image runs at first. The password is full of what shells read."""
    server = new_postgres()
    password = tmp_path / "password"
    password.write_text('it\'s a "long" $HOME `one`\n', encoding="utf-8")
    psql = client_program("psql", server.major)
    environment = {
        "PATH": f"{psql.parent}:{os.environ['PATH']}",
        "PGHOST": str(server.host),
        "PGPORT": str(server.port),
        "PGPASSWORD": server.password,
        "GRANTS": str(mounts("books")["/closewatch/grants.sql"]),
        "PASSWORD_FILE": str(password),
    }
    script = mounts("books")["/docker-entrypoint-initdb.d/watched.sh"]

    done = subprocess.run(["sh", script], env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    with server.connect(user="closewatch", password=password.read_text("utf-8").strip()) as session:
        assert session.execute("SELECT current_user, pg_has_role('pg_monitor', 'MEMBER')").fetchone() == (
            "closewatch",
            True,
        )


@pytest.mark.skipif(
    not shutil.which("docker")
    or bool(subprocess.run(["docker", "compose", "version"], capture_output=True).returncode),  # noqa: PLW1510
    reason="docker compose is not here",
)
def test_docker_takes_it() -> None:
    done = subprocess.run(
        ["docker", "compose", "--file", FOLDER / "compose.yaml", "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
