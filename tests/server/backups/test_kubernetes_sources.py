"""Velero and CloudNativePG through the registry, from a stand-in for the Kubernetes API (tests/fixtures/kubeapi.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.kubeapi import KubeApi
from tests.fixtures.watch import Watched
from tests.unit.backups.answers import answer, at

Watching = Callable[..., Watched]
SUCCESS = "backup_last_success_timestamp_seconds"
FROM, UNTIL = "backup_recoverable_from_timestamp_seconds", "backup_recoverable_until_timestamp_seconds"
VELERO, CNPG, PLUGIN = "/apis/velero.io/v1", "/apis/postgresql.cnpg.io/v1", "/apis/barmancloud.cnpg.io/v1"


def add(api: KubeApi, resource: str, *objects: dict[str, Any]) -> None:
    for one in objects:
        api.add(resource, one["metadata"]["namespace"], one["metadata"]["name"], one)


def velero(api: KubeApi, **more: Any) -> dict[str, Any]:
    place = {"namespace": "velero", "kubernetes": {"kubeconfig": str(api.kubeconfig)}, **more}
    return {"kind": "backups", "name": "cluster", "velero": place}


def cnpg(api: KubeApi, cluster: str = "acme") -> dict[str, Any]:
    place = {"namespace": "acme", "cluster": cluster, "kubernetes": {"kubeconfig": str(api.kubeconfig)}}
    return {"kind": "backups", "name": "cluster", "cloudnativepg": place}


@pytest.fixture
def filled(kube_api: KubeApi) -> KubeApi:
    document = answer("velero.json")
    add(kube_api, f"{VELERO}/backups", *document["backups"])
    add(kube_api, f"{VELERO}/backupstoragelocations", *document["locations"])
    document = answer("cloudnativepg.json")
    add(kube_api, f"{CNPG}/clusters", document["cluster"])
    add(kube_api, f"{CNPG}/backups", *document["backups"])
    add(kube_api, f"{PLUGIN}/objectstores", *document["objectstores"])
    return kube_api


def test_velero(filled: KubeApi, watching: Watching):
    facts = watching(velero(filled)).ask("cluster")
    assert (facts.up, facts.failing) == (True, {})
    assert facts.one(SUCCESS, type="resources") == at("2026-11-20T02:07:30Z")
    assert facts.one("backup_kept", type="resources") == 1
    assert facts.labels("backup_last_failure_timestamp_seconds", "reason") == ["partial"]
    assert facts.labels("backup_repository_info", "status") == ["ok"]
    assert (facts.all(FROM), facts.all("backup_encrypted")) == ([], [])
    facts = watching(velero(filled, schedule="nightly")).ask("cluster")
    assert facts.one("backup_seen", state="bad") == 2
    assert watching(velero(filled, schedule="other")).ask("cluster").all(SUCCESS) == []


def test_cloudnativepg(filled: KubeApi, watching: Watching):
    facts = watching(cnpg(filled)).ask("cluster")
    assert (facts.up, facts.failing) == (True, {})
    assert facts.one(SUCCESS, type="full") == at("2026-11-21T02:05:00Z")
    assert facts.one(SUCCESS, type="volume_snapshot") == at("2026-11-21T14:00:10Z")
    assert facts.one(FROM) == at("2026-11-10T02:06:00Z")
    assert facts.all(UNTIL) == []
    assert facts.one("backup_kept", type="full") == 2
    assert watching(cnpg(filled, "none")).ask("cluster").reason == "missing"


def test_without_the_plugin(filled: KubeApi, watching: Watching):
    filled.fault("", "", "404")
    facts = watching(cnpg(filled)).ask("cluster")
    assert (facts.up, facts.one(FROM)) == (True, at("2026-11-01T02:05:00Z"))
    filled.fault("", "", "500")
    assert watching(cnpg(filled)).ask("cluster").reason == "server_error"


@pytest.mark.parametrize("target", [velero, cnpg])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("403", "permission"),
        ("404", "missing"),
        ("401", "authentication"),
        ("garbage", "invalid_answer"),
        ("not_json", "invalid_answer"),
        ("text_items", "invalid_answer"),
        ("number_items", "invalid_answer"),
    ],
)
def test_bad_days(filled: KubeApi, watching: Watching, target: Any, fault: str, reason: str, caplog):
    filled.fault(fault)
    facts = watching(target(filled)).ask("cluster")
    assert (facts.reason, facts.all(SUCCESS)) == (reason, [])
    assert "own words" not in caplog.text
