"""Records in PostgreSQL: no volume, no node that all share, and for each pod a password of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from closewatch.kinds import load
from closewatch.records.settings import Records
from tests.helm.chart import RENDERERS, VALUES, Helm, RefusedError, every, find, lane, pods
from tests.helm.plans import volumes_of

SERVER = VALUES["records"]
PORT = {"port": 5433, "protocol": "TCP"}


@pytest.fixture(params=RENDERERS, ids=lambda render: str(render.__name__))
def helm(request: pytest.FixtureRequest) -> Helm:
    found: Helm = request.param
    return found


def changed(**config: Any) -> dict[str, Any]:
    """The values with another configuration."""
    return SERVER | {"config": SERVER["config"] | config}


def test_nothing_is_bound_to_a_volume_or_a_node(helm: Helm) -> None:
    objects = helm(SERVER)

    assert every(objects, "PersistentVolumeClaim") == []
    found = pods(objects) + lane(objects)
    assert len(found) == 4
    for pod in found:
        assert "records" not in volumes_of(pod["spec"])
        assert "affinity" not in pod["spec"]
        assert "records" not in {mount["name"] for mount in pod["spec"]["containers"][0]["volumeMounts"]}


def test_several_workers_share_the_work(helm: Helm) -> None:
    spec = find(helm(SERVER), "Deployment", "watch-closewatch-work")["spec"]

    assert spec["replicas"] == 2
    assert spec.get("strategy", {}).get("type") != "Recreate"


def test_each_has_the_password_that_is_its_own(helm: Helm, tmp_path: Path) -> None:
    objects = helm(SERVER)
    named = {
        pod["metadata"]["labels"]["app.kubernetes.io/name"]: volumes_of(pod["spec"])["secrets"]["secret"]["secretName"]
        for pod in pods(objects) + lane(objects)
    }

    assert named == {
        "closewatch": "closewatch-exporter",
        "closewatch-work": "closewatch-worker",
        "closewatch-receive": "closewatch-receiver",
        "closewatch-restore": "closewatch-restores",
    }
    path = tmp_path / "closewatch.yml"
    path.write_text(find(objects, "ConfigMap", "watch-closewatch")["data"]["closewatch.yml"], encoding="utf-8")
    records = load(path).records
    assert isinstance(records, Records)
    assert records.postgresql is not None
    assert records.postgresql.reader is not None


def test_each_may_reach_the_database(helm: Helm) -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in every(helm(SERVER), "NetworkPolicy")}

    assert len(policies) == 4
    for spec in policies.values():
        ways = [way for way in spec["egress"] if PORT in way["ports"]]
        assert [way["to"] for way in ways] == [SERVER["networkPolicy"]["to"]]
    [dns, database] = policies["watch-closewatch-receive"]["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert {port["port"] for port in database["ports"]} == {5432, 5433}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (SERVER | {"records": {"size": "1Gi"}}, "nothing would be kept in that volume, as config.records.postgresql"),
        (SERVER | {"receiver": {}}, "receiver.existingSecret is missing: a Secret with the password of config.records"),
        (VALUES["receiver"] | {"worker": {"replicas": 2}}, "several workers share records in PostgreSQL alone"),
        (SERVER | {"worker": {"replicas": 0}}, "replicas"),
    ],
)
def test_what_cant_work_is_refused(helm: Helm, values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(complaint)):
        helm(values)


def test_a_configuration_that_the_chart_cant_see_may_keep_them_there(helm: Helm) -> None:
    objects = helm({"existingConfigMap": "mine", "worker": {"enabled": True, "replicas": 2}})

    [worker] = lane(objects)
    assert "records" not in volumes_of(worker["spec"])
    assert worker["spec"]["containers"][0]["args"][:2] == ["work", "/etc/closewatch/work.yml"]


def test_a_login_without_a_password_needs_no_secret(helm: Helm) -> None:
    server = {key: value for key, value in SERVER["config"]["records"]["postgresql"].items() if key != "password"}
    values = changed(records={"postgresql": server}) | {"receiver": {}}

    [receiver] = [pod for pod in lane(helm(values)) if "receive" in pod["metadata"]["labels"]["app.kubernetes.io/name"]]
    assert "secrets" not in volumes_of(receiver["spec"])
