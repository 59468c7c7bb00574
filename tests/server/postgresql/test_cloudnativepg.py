"""A real cluster and a Cluster object about it: each is heard when the other one is down."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from closewatch.engines.postgres import PostgresServer
from tests.fixtures.kubeapi import KubeApi
from tests.fixtures.watch import SCHEMA, Watched, grant

Watching = Callable[..., Watched]
CLUSTERS = "/apis/postgresql.cnpg.io/v1/clusters"
PREFIX = "postgresql_cloudnativepg_"


@pytest.fixture
def content(kube_api: KubeApi) -> dict[str, Any]:
    """The Cluster object of `pg-07` in `books`, healthy."""
    status = {"phase": "Cluster in healthy state", "instances": 1, "readyInstances": 1, "conditions": []}
    return kube_api.add(CLUSTERS, "books", "pg-07", {"spec": {"instances": 1}, "status": status})


def operated(kube_api: KubeApi, *addresses: str) -> dict[str, Any]:
    about = {"namespace": "books", "cluster": "pg-07", "kubernetes": {"kubeconfig": str(kube_api.kubeconfig)}}
    return {"kind": "postgresql", "name": "pg", "hosts": list(addresses), "cloudnativepg": about}


def hibernate(content: dict[str, Any]) -> None:
    content["metadata"]["annotations"] = {"cnpg.io/hibernation": "on"}
    content["status"]["conditions"] = [{"type": "cnpg.io/hibernation", "status": "True", "reason": "Hibernated"}]
    del content["status"]["readyInstances"]


def expected(watched: Watched, name: str = "pg") -> bool:
    return watched.registry.expected(watched.scrape(name).target, datetime.now(UTC))


def test_both_are_asked_in_one_scrape(
    newest_postgres: PostgresServer, watching: Watching, kube_api: KubeApi, content: dict[str, Any]
) -> None:
    grant(newest_postgres)
    facts = watching(operated(kube_api, newest_postgres.address)).ask("pg")
    assert (facts.up, facts.failing) == (True, {})
    assert (facts.one(f"{PREFIX}instances"), facts.one(f"{PREFIX}instances_ready")) == (1, 1)
    assert len(kube_api.requests) == 1


def test_without_the_setting_nothing_is_asked_of_kubernetes(
    newest_postgres: PostgresServer, watching: Watching
) -> None:
    grant(newest_postgres)
    facts = watching({"kind": "postgresql", "name": "pg", "hosts": [newest_postgres.address]}).ask("pg")
    assert "cloudnativepg" not in facts.labels("collector_success", "collector")


def test_a_hibernated_cluster_and_what_lives_on_it_are_not_expected(
    new_postgres: Callable[..., PostgresServer], watching: Watching, kube_api: KubeApi, content: dict[str, Any]
) -> None:
    server = new_postgres()
    grant(server)
    server.create_database("odoo_acme")
    server.sql("odoo_acme", SCHEMA)
    odoo = {"kind": "odoo", "name": "acme", "server": "pg", "database": "odoo_acme"}
    watched = watching(operated(kube_api, server.address), odoo)
    assert watched.ask("pg").up
    assert (expected(watched), expected(watched, "acme")) == (True, True)
    hibernate(content)
    server.stop()
    facts = watched.ask("pg")
    assert (facts.up, facts.reason, facts.one(f"{PREFIX}hibernated")) == (False, "refused", 1)
    assert (expected(watched), expected(watched, "acme")) == (False, False)
    content["metadata"]["annotations"] = {}
    server.start()
    facts = watched.ask("pg")
    assert (facts.up, expected(watched), expected(watched, "acme")) == (True, True, True)
    assert facts.one(f"{PREFIX}change_start_timestamp_seconds") > time.time() - 60, "it is waking up"


def test_a_loss_stays_a_loss(
    new_postgres: Callable[..., PostgresServer], watching: Watching, kube_api: KubeApi, content: dict[str, Any]
) -> None:
    server = new_postgres()
    grant(server)
    watched = watching(operated(kube_api, server.address))
    assert watched.ask("pg").up
    server.kill()
    content["status"]["phase"] = "Failing over"
    facts = watched.ask("pg")
    assert (facts.up, expected(watched)) == (False, True)
    assert facts.all(f"{PREFIX}change_start_timestamp_seconds") == []
    content["status"]["phase"] = "Switchover in progress"
    assert watched.ask("pg").all(f"{PREFIX}change_start_timestamp_seconds") == []


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("hang", "timeout"), ("403", "permission"), ("404", "missing"), ("not_json", "invalid_answer")],
)
def test_an_api_that_fails_takes_nothing_from_the_server_s_own_answers(
    newest_postgres: PostgresServer,
    watching: Watching,
    kube_api: KubeApi,
    content: dict[str, Any],
    fault: str,
    reason: str,
) -> None:
    grant(newest_postgres)
    watched = watching(operated(kube_api, newest_postgres.address))
    assert watched.ask("pg").up
    kube_api.fault(fault)
    facts = watched.ask("pg", timeout=2)
    assert (facts.up, facts.failing) == (True, {"cloudnativepg": reason})
    assert facts.all(f"{PREFIX}instances") == []
    kube_api.fault()
    assert watched.ask("pg").failing == {}


def test_a_hung_server_is_given_up_in_time_and_the_operator_is_heard(
    new_postgres: Callable[..., PostgresServer], watching: Watching, kube_api: KubeApi, content: dict[str, Any]
) -> None:
    server = new_postgres()
    grant(server)
    watched = watching(operated(kube_api, server.address))
    assert watched.ask("pg").up
    server.pause()
    facts = watched.ask("pg", timeout=1)
    server.resume()
    assert (facts.up, facts.reason, facts.one(f"{PREFIX}instances_ready")) == (False, "timeout", 1)
