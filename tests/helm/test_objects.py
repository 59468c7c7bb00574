"""What the chart makes is what Kubernetes takes: by its own schemas, and by what one object says of another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
from jsonschema import Draft202012Validator
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource

from tests.helm.chart import RENDERERS, VALUES, Helm, Object, every, lane, pods

VERSIONS = ("1.25", kubernetes_validate.latest_version().removesuffix(".0"))
MONITORING = ("monitoring.coreos.com/v1", "monitoring.coreos.com/v1alpha1")
"""Kubernetes has no schemas of these: what of them the chart uses is below."""
ACCESS = {"scheme", "tlsConfig", "basicAuth", "authorization"}
MATCHER = {"name", "value", "matchType"}
ROUTE = {"receiver", "groupBy", "groupWait", "groupInterval", "repeatInterval", "matchers", "continue", "routes"}
RULE = {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}


@pytest.fixture(params=RENDERERS, ids=lambda render: str(render.__name__))
def objects(request: pytest.FixtureRequest, values: dict[str, Any]) -> list[Object]:
    """Rendered by each way to render."""
    render: Helm = request.param
    return render(values)


pytestmark = pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_it(objects: list[Object], version: str) -> None:
    """Strictly: a key that its schema doesn't know is an error."""
    for each in objects:
        if each["apiVersion"] not in MONITORING:
            validator(version, each["kind"], each["apiVersion"]).validate(each)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_wrong_object_would_be_seen(objects: list[Object], version: str) -> None:
    [service, *_] = every(objects, "Service")
    wrong = service | {"spec": service["spec"] | {"portz": []}}

    assert not validator(version, "Service", "v1").is_valid(wrong)


@cache
def validator(version: str, kind: str, api: str) -> Draft202012Validator:
    """Of one kind in one version of Kubernetes. The package's own function reads its 10 MB anew for each object."""
    folder = f"kubernetes-json-schema/v{version}.0-local-strict"
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api)
    schema = schema_contents(f"{folder}/{kind.lower()}-{group}.json", version)
    return Draft202012Validator(schema, registry=registry(version))


@cache
def registry(version: str) -> Registry[Any]:
    """What the schemas of one version refer to."""
    definitions = schema_contents(f"kubernetes-json-schema/v{version}.0-local-strict/_definitions.json", version)
    return (Resource.from_contents(definitions) @ Registry()).crawl()


def test_the_operator_takes_it(objects: list[Object]) -> None:
    for each in every(objects, "PrometheusRule"):
        assert set(each["spec"]) == {"groups"}
        for group in each["spec"]["groups"]:
            assert {"name", "rules"} <= set(group) <= {"name", "rules", "interval", "limit", "labels"}
            assert all(
                {"expr"} < set(rule) <= RULE and ("alert" in rule) != ("record" in rule) for rule in group["rules"]
            )
    for each in every(objects, "ServiceMonitor"):
        assert set(each["spec"]) == {"selector", "namespaceSelector", "endpoints"}
        allowed = {"port", "path", "interval", "scrapeTimeout", "honorLabels", "relabelings"} | ACCESS
        assert all(set(endpoint) <= allowed for endpoint in each["spec"]["endpoints"])
    for each in every(objects, "ScrapeConfig"):
        allowed = {"scrapeInterval", "scrapeTimeout", "honorLabels", "httpSDConfigs", "relabelings"} | ACCESS
        assert set(each["spec"]) <= allowed
        assert all(
            {"url"} <= set(found) <= {"url", "refreshInterval"} | ACCESS for found in each["spec"]["httpSDConfigs"]
        )
    for each in every(objects, "AlertmanagerConfig"):
        assert {"route", "receivers"} <= set(each["spec"]) <= {"route", "receivers", "inhibitRules"}
        assert all(set(route) <= ROUTE for route in _routes(each["spec"]["route"]))
        matchers = [found for route in _routes(each["spec"]["route"]) for found in route["matchers"]]
        for rule in each["spec"].get("inhibitRules", ()):
            assert set(rule) == {"sourceMatch", "targetMatch", "equal"}
            matchers += [*rule["sourceMatch"], *rule["targetMatch"]]
        assert all(set(found) == MATCHER and found["matchType"] in {"=", "!=", "=~", "!~"} for found in matchers)
        names = [receiver["name"] for receiver in each["spec"]["receivers"]]
        assert {route["receiver"] for route in _routes(each["spec"]["route"])} == set(names)
        assert len(names) == len(set(names))


def test_every_object_is_small_enough_to_be_kept(objects: list[Object]) -> None:
    """The API server takes 1 MiB of data in a ConfigMap, and about 1.5 MB of anything."""
    assert {each["metadata"]["name"]: size for each in objects if (size := len(json.dumps(each))) > 1_000_000} == {}


def test_no_object_is_there_twice(objects: list[Object]) -> None:
    names = [(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]) for each in objects]

    assert len(names) == len(set(names))


def test_what_a_pod_mounts_is_there(objects: list[Object], values: dict[str, Any]) -> None:
    """Made by the chart, or named by the values: then it is somebody's that is there already."""
    made = {(each["kind"], each["metadata"]["name"]) for each in objects}
    named = json.dumps(values)
    for pod in pods(objects) + lane(objects):
        spec = pod["spec"]
        volumes = [volume["name"] for volume in spec["volumes"]]
        mounts = spec["containers"][0]["volumeMounts"]
        assert sorted(volumes) == sorted({mount["name"] for mount in mounts})
        assert len(mounts) == len({mount["mountPath"] for mount in mounts})
        for volume in spec["volumes"]:
            for source, kind, key in (
                ("configMap", "ConfigMap", "name"),
                ("secret", "Secret", "secretName"),
                ("persistentVolumeClaim", "PersistentVolumeClaim", "claimName"),
            ):
                if source in volume:
                    name = volume[source][key]
                    assert (kind, name) in made or f'"{name}"' in named, name
        account = spec["serviceAccountName"]
        assert ("ServiceAccount", account) in made or f'"{account}"' in named


def test_what_selects_pods_finds_one_deployments(objects: list[Object]) -> None:
    labels = [pod["metadata"]["labels"] for pod in pods(objects) + lane(objects)]
    ports = {port["name"] for pod in pods(objects) for port in pod["spec"]["containers"][0]["ports"]}
    for each in every(objects, "Deployment"):
        own = each["spec"]["template"]["metadata"]["labels"].items()
        assert each["spec"]["selector"]["matchLabels"].items() <= own
    for service in every(objects, "Service"):
        assert [service["spec"]["selector"].items() <= found.items() for found in labels].count(True) == 1
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for policy in every(objects, "NetworkPolicy"):
        chosen = policy["spec"]["podSelector"]["matchLabels"].items()
        assert [chosen <= found.items() for found in labels].count(True) == 1
        assert {port["port"] for rule in policy["spec"].get("ingress", ()) for port in rule["ports"]} <= ports


def test_what_is_scraped_is_every_service_of_an_exporter_by_a_port_that_it_has(objects: list[Object]) -> None:
    served = [pod["metadata"]["labels"].items() for pod in pods(objects)]
    services, others = [], []
    for each in every(objects, "Service"):
        exporters = any(each["spec"]["selector"].items() <= labels for labels in served)
        (services if exporters else others).append(each)
    for monitor in every(objects, "ServiceMonitor"):
        chosen = monitor["spec"]["selector"]["matchLabels"].items()
        assert all(chosen <= each["metadata"]["labels"].items() for each in services)
        assert not any(chosen <= each["metadata"]["labels"].items() for each in others)
        named = {port["name"] for each in services for port in each["spec"]["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} == named
    for scrape in every(objects, "ScrapeConfig"):
        hosts = {f"{each['metadata']['name']}.monitoring.svc:{each['spec']['ports'][0]['port']}" for each in services}
        found = {each["url"].split("://")[1].removesuffix("/sd") for each in scrape["spec"]["httpSDConfigs"]}
        assert found == hosts


def test_a_right_is_bound_to_an_account_that_is_used(objects: list[Object]) -> None:
    roles = {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in every(objects, "Role")}
    bound = set()
    used = {pod["spec"]["serviceAccountName"] for pod in pods(objects) if pod["spec"]["automountServiceAccountToken"]}
    for each in every(objects, "RoleBinding"):
        bound.add((each["metadata"]["namespace"], each["roleRef"]["name"]))
        assert {(subject["kind"], subject["namespace"]) for subject in each["subjects"]} == {
            ("ServiceAccount", "monitoring")
        }
        assert {subject["name"] for subject in each["subjects"]} <= used
    assert bound == roles


def _routes(route: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield route
    for each in route.get("routes", ()):
        yield from _routes(each)
