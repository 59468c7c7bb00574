"""Settings, states and limits as rows of the console: what counts as exposed, as paused, and as not told."""

from __future__ import annotations

from typing import Any

import pytest

from closewatch.core.collectors import Answer, Collector
from closewatch.core.targets import Target
from closewatch.pgbouncer.clients import CLIENTS
from closewatch.pgbouncer.databases import DATABASES
from closewatch.pgbouncer.exposure import EXPOSURE

TARGET = Target.of("pgbouncer", "bouncer", environment="test")


def told(collector: Collector, version: int = 11_800, **tables: list[dict[str, Any]]) -> dict[str, float]:
    """The values by the last label, or by the family's last word."""
    samples = collector.read(Answer(tables, version), TARGET, {})
    return {(s.labels or (s.family.name.split("_", 2)[2],))[-1]: s.value for s in samples if s.value is not None}


def config(**values: str | None) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def database(name: str = "one", host: str | None = "10.0.0.5", **more: Any) -> dict[str, Any]:
    return {"name": name, "host": host, "paused": 0, "disabled": 0, **more}


def exposed(host: str | None = "10.0.0.5", **values: str | None) -> dict[str, float]:
    return told(EXPOSURE, config=config(**values), databases=[database(host=host), database("pgbouncer", "10.9.9.9")])


@pytest.mark.parametrize(
    ("auth_type", "expected"),
    [("trust", 1), ("any", 1), ("md5", 0), ("scram-sha-256", 0), ("cert", 0), ("pam", 0), ("hba", None), ("", None)],
)
def test_login_without_password(auth_type: str, expected: float | None) -> None:
    assert exposed(auth_type=auth_type).get("login_without_password") == expected


@pytest.mark.parametrize(
    ("mode", "listen", "expected"),
    [
        ("disable", "*", 1),
        ("prefer", "10.0.0.9", 1),
        ("allow", "127.0.0.1,10.0.0.9", 1),
        ("require", "*", 0),
        ("verify-full", "*", 0),
        ("disable", "127.0.0.1, ::1", 0),
        ("disable", "", 0),
        ("disable", "pooler.internal", 1),
    ],
)
def test_tls_of_clients(mode: str, listen: str, expected: float) -> None:
    assert exposed(client_tls_sslmode=mode, listen_addr=listen) == {"client_tls_not_required": expected}


@pytest.mark.parametrize(
    ("mode", "host", "expected"),
    [
        ("disable", "10.0.0.5", 1),
        ("prefer", "db.internal", 1),
        ("verify-ca", "db.internal", 0),
        ("disable", None, 0),
        ("disable", "/run/postgresql", 0),
        ("disable", "127.0.0.1", 0),
        ("disable", "127.0.0.1,10.0.0.5", 1),
    ],
)
def test_tls_of_servers(mode: str, host: str | None, expected: float) -> None:
    assert exposed(host=host, server_tls_sslmode=mode) == {"server_tls_not_required": expected}


def test_what_is_not_told_is_not_said() -> None:
    assert exposed() == {}


@pytest.mark.parametrize(
    ("state", "paused"),
    [
        ({"active": "yes", "paused": "no", "suspended": "no"}, 1),
        ({"active": "no", "paused": "yes", "suspended": "no"}, 3),
        ({"active": "no", "paused": "no", "suspended": "yes"}, 3),
    ],
)
def test_a_pause_of_all_counts_as_all(state: dict[str, str], paused: int) -> None:
    rows = [database("one", paused=1), database("two"), database("three", disabled=1), database("pgbouncer")]
    found = told(DATABASES, 11_900, main=rows, state=config(**state))
    assert found == {"paused_databases": paused, "disabled_databases": 1}


def test_before_1_19_a_pause_of_all_is_not_told() -> None:
    assert told(DATABASES, main=[database("one"), database("two")])["paused_databases"] == 0


@pytest.mark.parametrize(("version", "text"), [(11_200, "1.12.0"), (11_800, "1.18.0"), (12_401, "1.24.1")])
def test_clients_and_version(version: int, text: str) -> None:
    lists = [{"list": "databases", "items": 3}, {"list": "used_clients", "items": 17}]
    found = told(CLIENTS, version, lists=lists, config=config(max_client_conn="500"))
    assert found == {"clients": 17, "clients_max": 500, text: 1}


def test_a_limit_that_is_not_told() -> None:
    assert "clients_max" not in told(
        CLIENTS, lists=[{"list": "used_clients", "items": 1}], config=config(auth_type=None)
    )
