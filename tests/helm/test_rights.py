"""Rights in the Kubernetes API: exactly what the code asks a real socket for, and nothing where it asks for nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from closewatch.core.deadline import Deadline
from closewatch.kinds import load
from closewatch.registry import Registry
from tests.fixtures.kubeapi import KubeApi
from tests.helm.chart import RENDERERS, VALUES, Helm, Object, every, find, granted, notes, pods

Right = tuple[str, str, str, str, str | None]
"""Namespace, API group, resource, verb, and the one object that is meant."""
OPERATED = {"namespace": "databases", "cluster": "pg-07"}
TARGETS: dict[str, dict[str, Any]] = {
    "certificates": {"kind": "certificates", "kubernetes": {}, "secrets": [{"namespace": "odoo"}]},
    "postgresql": {"kind": "postgresql", "hosts": ["127.0.0.1:1"], "user": "nobody", "cloudnativepg": OPERATED},
    "cloudnativepg": {"kind": "backups", "cloudnativepg": OPERATED},
    "another": {"kind": "backups", "cloudnativepg": {"namespace": "databases", "cluster": "pg-08"}},
    "velero": {"kind": "backups", "velero": {"namespace": "velero", "schedule": "nightly"}},
    "all": {"kind": "backups", "velero": {"namespace": "velero"}},
}
BY_HAND = {
    "tlsSecrets": ["odoo"],
    "cloudNativePg": {"databases": ["pg-07", "pg-08"]},
    "cloudNativePgBackups": ["databases"],
    "velero": ["velero"],
}


@pytest.fixture(params=RENDERERS, ids=lambda render: str(render.__name__))
def helm(request: pytest.FixtureRequest) -> Helm:
    found: Helm = request.param
    return found


def configured(*names: str) -> dict[str, Any]:
    """Values with these targets."""
    return {"config": {"environment": "test", "targets": [TARGETS[name] | {"name": name} for name in names]}}


def asked(api: KubeApi, config: dict[str, Any], folder: Path) -> set[Right]:
    """What each target of a configuration asks the API for, when it is scraped."""
    config = copy.deepcopy(config)
    for target in config["targets"]:
        place = target.get("cloudnativepg") or target.get("velero") or target
        place["kubernetes"] = {"kubeconfig": str(api.kubeconfig)}
    for name in ("pg-07", "pg-08"):
        api.add("/apis/postgresql.cnpg.io/v1/clusters", "databases", name, {})
    path = folder / "closewatch.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    registry = Registry(load(path))
    for scrape in registry.scrapes():
        scrape.run(Deadline.after(30))
    registry.close()
    return {right(urlsplit(path).path) for path, _ in api.requests}


def right(path: str) -> Right:
    """The right that Kubernetes asks for before it answers a GET: by the path alone, as its authorizer has it."""
    api, *rest = path.strip("/").split("/")
    group = "" if api == "api" else rest.pop(0)
    _, namespaces, namespace, resource, *name = rest
    assert namespaces == "namespaces"
    return namespace, group, resource, "get" if name else "list", name[0] if name else None


def given(objects: list[Object]) -> Iterator[Right]:
    """Each single right of all Roles that are bound."""
    for (namespace, _), rules in granted(objects).items():
        for rule in rules:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    for verb in rule["verbs"]:
                        for name in rule.get("resourceNames", [None]):
                            yield namespace, group, resource, verb, name


@pytest.mark.parametrize("names", [(name,) for name in TARGETS] + [tuple(TARGETS)], ids="+".join)
def test_what_is_granted_is_what_the_code_asks_for(
    helm: Helm, names: tuple[str, ...], kube_api: KubeApi, tmp_path: Path
) -> None:
    values = configured(*names)

    found = list(given(helm(values)))

    assert set(found) == asked(kube_api, values["config"], tmp_path) != set()
    assert len(found) == len(set(found))


def test_by_hand_the_same_can_be_granted(helm: Helm) -> None:
    objects = helm({"existingConfigMap": "mine", "rbac": BY_HAND})

    assert set(given(objects)) == set(given(helm(configured(*TARGETS))))
    assert [pod["spec"]["automountServiceAccountToken"] for pod in pods(objects)] == [True]


def test_by_concern_backups_read_theirs_and_postgresql_its_own(helm: Helm) -> None:
    objects = helm(configured(*TARGETS) | {"deployments": "by-concern"})

    resources = {key: [name for rule in rules for name in rule["resources"]] for key, rules in granted(objects).items()}
    assert resources == {
        ("odoo", "watch-closewatch-certificates"): ["secrets"],
        ("databases", "watch-closewatch-postgresql"): ["clusters"],
        ("databases", "watch-closewatch-backups"): ["clusters", "backups", "objectstores"],
        ("velero", "watch-closewatch-backups"): ["backups", "backupstoragelocations"],
    }
    policy = find(objects, "NetworkPolicy", "watch-closewatch-backups")
    assert {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]} >= {443, 6443}


def test_a_login_by_kubeconfig_needs_no_right_here(helm: Helm) -> None:
    values = configured(*TARGETS)
    for target in (targets := copy.deepcopy(values["config"]["targets"])):
        place = target.get("cloudnativepg") or target.get("velero") or target
        place["kubernetes"] = {"kubeconfig": "/run/secrets/closewatch/kubeconfig"}

    assert granted(helm({"config": {"targets": targets}})) == {}


@pytest.mark.parametrize("name", [name for name in VALUES if name not in {"by-concern", "volumes"}])
def test_nobody_else_has_any_right(helm: Helm, name: str) -> None:
    objects = helm(VALUES[name])

    assert every(objects, "Role") == every(objects, "RoleBinding") == []
    assert not any(pod["spec"]["automountServiceAccountToken"] for pod in pods(objects))


def test_who_grants_them_by_other_means_is_told_which() -> None:
    values = configured(*TARGETS) | {"rbac": {"create": False}}

    said = notes(values)

    for line in (
        "odoo: list secrets",
        "databases: get clusters.postgresql.cnpg.io pg-07, pg-08",
        "databases: list backups.postgresql.cnpg.io",
        "databases: list objectstores.barmancloud.cnpg.io",
        "velero: list backups.velero.io, backupstoragelocations.velero.io",
    ):
        assert f"      {line}\n" in said
