"""The chart: its pods, its scrapes and its configuration are right, and its notes say what is missing."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import helm_python
import pytest
import typer.main
import yaml

from closewatch import __version__
from closewatch.cli import main as command_line
from closewatch.kinds import load
from tests.helm import readme
from tests.helm.chart import (
    CHART,
    RENDERERS,
    VALUES,
    Helm,
    container,
    containers,
    every,
    find,
    lane,
    notes,
    pods,
)

CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace"}


@pytest.fixture(params=RENDERERS, ids=lambda render: str(render.__name__))
def helm(request: pytest.FixtureRequest) -> Helm:
    found: Helm = request.param
    return found


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_every_set_of_values_renders(helm: Helm, values: dict[str, Any]) -> None:
    objects = helm(values)

    assert {"Deployment", "Service"} <= {each["kind"] for each in objects}
    assert not CLUSTER_WIDE & {each["kind"] for each in objects}
    elsewhere = {each["kind"] for each in objects if each["metadata"]["namespace"] != "monitoring"}
    assert elsewhere <= {"Role", "RoleBinding"}


def test_the_chart_is_of_this_version() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))

    assert (about["appVersion"], about["version"]) == (__version__, __version__)


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_lint_finds_nothing(values: dict[str, Any]) -> None:
    report = helm_python.lint(CHART, values, strict=True)

    worse = [message for message in report["messages"] if message["severity"] > logging.NOTSET + 1]
    assert (worse, report["errors"]) == ([], [])


def test_the_table_in_the_readme_is_fresh() -> None:
    text = (CHART / "README.md").read_text(encoding="utf-8")

    assert text == readme.written(CHART), "run: python -m tests.helm.readme"


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_the_pods_are_restricted(helm: Helm, values: dict[str, Any]) -> None:
    objects = helm(values)

    for pod in (each["spec"] for each in pods(objects)):
        assert {key: pod["securityContext"][key] for key in ("runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup")} == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
        }
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        allowed = {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}
        assert all(set(volume) - {"name"} <= allowed for volume in pod["volumes"])
    for each in containers(objects):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert each["resources"]["limits"]["memory"]
        writable = [mount["name"] for mount in each["volumeMounts"] if not mount.get("readOnly")]
        assert writable == (["tmp", "records"] if "records" in values else ["tmp"])
    for policy in every(objects, "NetworkPolicy"):
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert len(every(objects, "NetworkPolicy")) == len(pods(objects) + lane(objects))


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_the_program_takes_its_arguments(helm: Helm, values: dict[str, Any]) -> None:
    for each in containers(helm(values)):
        serve, *arguments = each["args"]
        command = typer.main.get_command(command_line).commands[serve]  # type: ignore[attr-defined]

        given = command.make_context("serve", arguments).params

        assert str(given["config"]) == "/etc/closewatch/closewatch.yml"
        assert given["listen"] == "0.0.0.0:10187"
        assert given["log_level"] == values.get("log", {}).get("level", "info")


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_its_probes_ask_paths_that_exist(helm: Helm, values: dict[str, Any], tmp_path: Path) -> None:
    from closewatch.app import App

    path = tmp_path / "closewatch.yml"
    path.write_text("environment: test\ntargets: []\n", encoding="utf-8")
    routes = App(path).routes()

    for each in containers(helm(values)):
        probes = [each[name] for name in ("livenessProbe", "readinessProbe")]
        if values.get("web", {}).get("probes") == "tcp":
            assert [probe["tcpSocket"]["port"] for probe in probes] == ["web", "web"]
        else:
            assert [probe["httpGet"]["path"] for probe in probes] == ["/-/healthy", "/-/ready"]
            assert {probe["httpGet"]["path"] for probe in probes} <= set(routes)


@pytest.mark.parametrize("name", [name for name, values in VALUES.items() if not values.get("existingConfigMap")])
def test_closewatch_takes_the_configuration(helm: Helm, name: str, tmp_path: Path) -> None:
    """By concern too: what belongs together is in one file, else closewatch would refuse it."""
    values = VALUES[name]
    configs = [each for each in every(helm(values), "ConfigMap") if not each["metadata"]["name"].endswith("-rules")]
    texts = [each["data"]["closewatch.yml"] for each in configs if "closewatch.yml" in each["data"]]
    path = tmp_path / "closewatch.yml"
    found = []
    for text in texts:
        path.write_text(text, encoding="utf-8")
        found += [target.name for target in load(path).targets]

    assert sorted(found) == sorted(each["name"] for each in values.get("config", {}).get("targets", ()))


def test_a_changed_configuration_is_a_new_pod(helm: Helm) -> None:
    values = VALUES["minimal"]
    other = values | {"config": values["config"] | {"environment": "staging"}}

    before, again, after = (
        find(helm(each), "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for each in (values, values, other)
    )

    assert before == again != after


def test_passwords_are_files_for_the_group_only(helm: Helm) -> None:
    objects = helm(VALUES["minimal"])
    volumes = find(objects, "Deployment")["spec"]["template"]["spec"]["volumes"]
    mounts = {mount["name"]: mount for mount in container(objects)["volumeMounts"]}

    secret = next(volume["secret"] for volume in volumes if volume["name"] == "secrets")

    assert secret == {"secretName": "closewatch-passwords", "defaultMode": 0o440}
    assert mounts["secrets"] == {"name": "secrets", "mountPath": "/run/secrets/closewatch", "readOnly": True}
    assert not [each for each in objects if each["kind"] == "Secret"]


def test_it_may_only_reach_what_is_watched_and_dns(helm: Helm) -> None:
    policy = find(helm(VALUES["kube-prometheus-stack"]), "NetworkPolicy")["spec"]

    dns, databases = policy["egress"]
    assert {(each["port"], each["protocol"]) for each in dns["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert [each["port"] for each in databases["ports"]] == [5432, 6432]
    assert databases["to"] == [{"ipBlock": {"cidr": "10.0.0.0/24"}}]


@pytest.mark.parametrize("name", ["kube-prometheus-stack", "locked-down"])
def test_the_operator_scrapes_the_service_by_the_names_of_the_rules(helm: Helm, name: str) -> None:
    values = VALUES[name]
    objects = helm(values)
    service, monitor = find(objects, "Service"), find(objects, "ServiceMonitor")
    scrape = find(objects, "ScrapeConfig")
    address = f"{service['metadata']['name']}.monitoring.svc:{service['spec']['ports'][0]['port']}"
    scheme = values.get("web", {}).get("scheme", "http")

    endpoint = monitor["spec"]["endpoints"][0]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= _pod_labels(objects).items()
    assert endpoint["port"] == service["spec"]["ports"][0]["name"]
    assert scrape["spec"]["httpSDConfigs"][0]["url"] == f"{scheme}://{address}/sd"
    assert (endpoint["scheme"], scrape["spec"]["scheme"]) == (scheme, scheme.upper())
    assert endpoint["honorLabels"] is scrape["spec"]["honorLabels"] is True
    jobs = [each["relabelings"] for each in (endpoint, scrape["spec"])]
    assert [job for [job] in jobs] == [
        {"targetLabel": "job", "replacement": "closewatch"},
        {"targetLabel": "job", "replacement": "closewatch-targets"},
    ]
    for each in (endpoint, scrape["spec"], scrape["spec"]["httpSDConfigs"][0]):
        assert each.get("tlsConfig") == values.get("scrape", {}).get("tlsConfig")
    for each in (monitor, scrape):
        assert values["prometheusOperator"]["labels"].items() <= each["metadata"]["labels"].items()


def test_names_stay_within_what_kubernetes_takes(helm: Helm) -> None:
    """A Service's name is part of a host name; all others may be long."""
    objects = helm(VALUES["by-concern"], name="a-release-with-a-name-that-is-as-long-as-helm-allows"[:53])

    assert max(len(each["metadata"]["name"]) for each in every(objects, "Service")) <= 63
    assert max(len(each["metadata"]["name"]) for each in objects) <= 253


def test_the_notes_say_what_is_missing() -> None:
    default, stack, locked = (notes(VALUES[name]) for name in ("defaults", "kube-prometheus-stack", "locked-down"))

    for part in (
        "Nothing is watched yet",
        "- job_name: closewatch-targets",
        "OBSERVE MODE",
        "receiver: closewatch-page",
    ):
        assert part in default
    assert "PrometheusRule watch-closewatch-*: the alerts, in notify mode" in stack
    assert "OBSERVE MODE" not in stack
    assert "Nothing is watched" not in stack
    assert "nothing that the chart can see" in locked


def _pod_labels(objects: list[dict[str, Any]]) -> dict[str, str]:
    labels: dict[str, str] = find(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    return labels
