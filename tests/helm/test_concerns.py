"""One Deployment by concern: what is split, who gets which rights and ways out, and that two releases never meet."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from closewatch.core.settings import TargetSettings
from closewatch.kinds import KINDS, SETTINGS
from tests.helm.chart import (
    RENDERERS,
    ROOT,
    VALUES,
    Helm,
    Object,
    RefusedError,
    containers,
    every,
    find,
    granted,
    lane,
    notes,
    pods,
    serving,
)

EXAMPLES = [path for path in sorted((ROOT / "docs/examples").glob("*.yml")) if "targets:" in path.read_text("utf-8")]
SECRETS = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}
CLUSTER = {"apiGroups": ["postgresql.cnpg.io"], "resources": ["clusters"], "resourceNames": ["pg-07"], "verbs": ["get"]}
KEPT: dict[str, Any] = {"records": {"path": "/var/lib/closewatch/records.db"}}
"""What a configuration has where results are kept; the values then name a volume, too."""
ADDRESS = re.compile(r"(?:[a-z0-9+]+://)?(?:\[[0-9a-f:]+\]|[A-Za-z0-9_.-]+):(\d{1,5})(?:/.*)?")


@pytest.fixture(params=RENDERERS, ids=lambda render: str(render.__name__))
def helm(request: pytest.FixtureRequest) -> Helm:
    found: Helm = request.param
    return found


def split(*kinds: str, **more: Any) -> dict[str, Any]:
    """Values with a target of each kind, by concern. The chart takes them unchecked: closewatch checks them itself."""
    targets = [{"kind": kind, "name": f"the-{kind}"} for kind in kinds]
    values: dict[str, Any] = {"deployments": "by-concern"}
    config = {"environment": "production", "targets": targets}
    if any(SETTINGS[kind].checks is not TargetSettings.checks for kind in kinds if kind in SETTINGS):
        config, values["records"] = config | KEPT, {"size": "1Gi"}
    return values | {"config": config} | more


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_asked_by_the_process_of_what_it_belongs_to(helm: Helm, kind: str) -> None:
    above = SETTINGS[kind].belongs_to
    concern = above[1] if above else kind

    objects = helm(split(*{concern, kind}))

    assert [each["metadata"]["name"] for each in serving(objects)] == [f"watch-closewatch-{concern}"]
    assert {label["app.kubernetes.io/component"] for label in _labels(pods(objects))} == {concern}


def test_each_process_has_its_own_everything(helm: Helm) -> None:
    objects = helm(VALUES["by-concern"])
    names = {f"watch-closewatch-{concern}" for concern in _concerns(VALUES["by-concern"])}

    for kind in ("Deployment", "Service", "ServiceAccount", "NetworkPolicy"):
        assert {each["metadata"]["name"] for each in every(objects, kind)} == names, kind
    assert {pod["spec"]["serviceAccountName"] for pod in pods(objects)} == names
    secrets = {pod["spec"]["serviceAccountName"]: _secret(pod) for pod in pods(objects)}
    assert secrets["watch-closewatch-postgresql"] == "closewatch-postgresql"
    assert secrets["watch-closewatch-certificates"] == "closewatch-passwords"
    volumes = {pod["spec"]["serviceAccountName"]: {v["name"] for v in pod["spec"]["volumes"]} for pod in pods(objects)}
    assert [name for name, found in volumes.items() if "dumps" in found] == ["watch-closewatch-backups"]
    assert [name for name, found in volumes.items() if "authorities" in found] == ["watch-closewatch-certificates"]
    annotated = find(objects, "ServiceAccount", "watch-closewatch-certificates")["metadata"]["annotations"]
    assert annotated == {"example.com/reads": "tls-secrets"}
    _, ways_out = find(objects, "NetworkPolicy", "watch-closewatch-backups")["spec"]["egress"]
    assert ways_out == {"ports": [{"port": 9000, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}


def test_only_the_process_that_needs_it_has_a_token_and_rights(helm: Helm) -> None:
    objects = helm(VALUES["by-concern"])

    tokens = {pod["spec"]["serviceAccountName"]: pod["spec"]["automountServiceAccountToken"] for pod in pods(objects)}
    asking = ["watch-closewatch-certificates", "watch-closewatch-postgresql"]
    assert [name for name, token in tokens.items() if token] == asking
    assert not any(each["automountServiceAccountToken"] for each in every(objects, "ServiceAccount"))
    assert granted(objects) == {
        ("odoo", "watch-closewatch-certificates"): [SECRETS],
        ("traefik", "watch-closewatch-certificates"): [SECRETS],
        ("databases", "watch-closewatch-postgresql"): [CLUSTER],
    }
    ways_out = {name: find(objects, "NetworkPolicy", name)["spec"]["egress"] for name in tokens}
    assert [name for name, rules in ways_out.items() if len(rules) == 3] == asking


def test_secrets_of_all_namespaces_are_not_granted_and_the_notes_say_so() -> None:
    target = {"kind": "certificates", "name": "all", "kubernetes": {}, "secrets": [{"labels": "app=odoo"}]}

    said = notes({"config": {"environment": "production", "targets": [target]}})

    assert "all asks for the TLS secrets of all namespaces" in said


def test_what_the_image_hasnt_got_is_said() -> None:
    target = {"kind": "backups", "name": "repo", "pgbackrest": {"stanza": "main"}}

    said = notes({"config": {"environment": "production", "targets": [target]}})

    assert "repo asks pgBackRest, which is not in the image" in said


@pytest.mark.parametrize("kind", KINDS)
def test_the_usual_ports_of_a_kind_are_open(helm: Helm, kind: str) -> None:
    settings = importlib.import_module(f"closewatch.{kind}.settings")
    usual = {settings.DEFAULT_PORT} if hasattr(settings, "DEFAULT_PORT") else set()
    protocols = getattr(settings, "PORTS", {})
    if hasattr(settings, "SENTINEL_PORT"):
        target = {"kind": kind, "name": "one", "sentinels": ["a.example.com"], "master": "one"}
        assert settings.SENTINEL_PORT in _ports(helm({"config": {"targets": [target]}}))

    assert usual <= _ports(helm(split(kind)))
    for protocol, port in protocols.items():
        target = {"kind": kind, "name": "one", "endpoints": [{"address": "a.example.com", "protocol": protocol}]}
        assert port in _ports(helm({"config": {"environment": "production", "targets": [target]}})), protocol


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_ports_of_the_examples_are_open(helm: Helm, path: Path) -> None:
    targets = yaml.safe_load(path.read_text("utf-8"))["targets"]
    for target in targets:
        target.pop("scratch", None)  # a host's; the chart has a volume for it, and refuses another place
    named = {int(found[1]) for text in _texts(targets) if (found := ADDRESS.fullmatch(text))}

    config = {"environment": "production", "targets": targets} | KEPT
    assert named <= _ports(helm({"config": config, "records": {"size": "1Gi"}}))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"deployments": "by-concern"}, "needs config.targets"),
        (split("postgresql", existingConfigMap="mine"), "with existingConfigMap it must be one"),
        ({"deployments": "by-concern", "config": {"include": ["x.yml"]}}, "with config.include it must be one"),
        (split("postgresql", concerns={"redis": {}}), "concerns.redis: no target is of this concern"),
        ({"concerns": {"redis": {}}}, "concerns is for deployments: by-concern"),
        ({"deployments": "by-concern", "config": {"targets": [{"name": "x"}]}}, "a target has no kind"),
    ],
)
def test_what_cant_be_split_is_refused(helm: Helm, values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(complaint)):
        helm(values)


def test_what_is_read_is_mounted_read_only_and_without_keys(helm: Helm) -> None:
    objects = helm(VALUES["volumes"])
    [pod], [each] = pods(objects), containers(objects)
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    mounts = {mount["name"]: mount for mount in each["volumeMounts"]}

    assert volumes["ingress-tls"]["secret"]["items"] == [{"key": "tls.crt", "path": "tls.crt"}]
    assert volumes["dumps"]["persistentVolumeClaim"] == {"claimName": "odoo-dumps", "readOnly": True}
    assert mounts["dumps"] == {"name": "dumps", "mountPath": "/backups", "readOnly": True, "subPath": "daily"}
    assert pod["spec"]["securityContext"]["supplementalGroups"] == [26]


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize(
    "others", [("other", "monitoring"), ("watch", "elsewhere")], ids=["same namespace", "same name"]
)
def test_two_releases_in_one_cluster_dont_meet(helm: Helm, name: str, others: tuple[str, str]) -> None:
    """No object of one has the kind, namespace and name of one of the other, and no selector finds the other's pods."""
    values = {key: value for key, value in VALUES[name].items() if key != "fullnameOverride"}
    one, other = helm(values, name="watch"), helm(values, name=others[0], namespace=others[1])

    assert not _identities(one) & _identities(other)
    if others[1] == "monitoring":
        for selector in _selectors(one):
            assert not any(selector.items() <= labels.items() for labels in _labels(pods(other) + lane(other)))
        [monitor] = every(one, "ServiceMonitor") or [None]
        if monitor:
            chosen = monitor["spec"]["selector"]["matchLabels"].items()
            assert not any(chosen <= each["metadata"]["labels"].items() for each in every(other, "Service"))


def _concerns(values: dict[str, Any]) -> set[str]:
    kinds = {target["kind"] for target in values["config"]["targets"]}
    return {above[1] if (above := SETTINGS[kind].belongs_to) else kind for kind in kinds}


def _secret(pod: Object) -> str | None:
    found = [volume["secret"]["secretName"] for volume in pod["spec"]["volumes"] if volume["name"] == "secrets"]
    return found[0] if found else None


def _ports(objects: list[Object]) -> set[int]:
    return {
        each["port"]
        for policy in every(objects, "NetworkPolicy")
        for rule in policy["spec"]["egress"]
        for each in rule["ports"]
    }


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(each)


def _labels(found: list[Object]) -> list[dict[str, str]]:
    return [pod["metadata"]["labels"] for pod in found]


def _identities(objects: list[Object]) -> set[tuple[str, str, str]]:
    return {(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]) for each in objects}


def _selectors(objects: list[Object]) -> Iterator[dict[str, str]]:
    for each in objects:
        if each["kind"] == "Service":
            yield each["spec"]["selector"]
        if each["kind"] == "NetworkPolicy":
            yield each["spec"]["podSelector"]["matchLabels"]
        if each["kind"] == "Deployment":
            yield each["spec"]["selector"]["matchLabels"]
