"""The receiver of notifications in the chart: its pod, who may reach it, and that Alertmanager is told where it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer.main
import yaml

from closewatch.cli import main as command_line
from closewatch.kinds import load
from closewatch.receive import Receiver
from tests.alertmanager import shipped
from tests.helm.chart import RENDERERS, VALUES, Helm, Object, RefusedError, every, find, notes, pods
from tests.helm.plans import PATH, volumes_of

WHOLE = VALUES["receiver"]
NAME = "watch-closewatch-receive"
MAIN = {"kind": "alertmanager", "name": "main", "url": "http://alertmanager:9093"}
OTHER = MAIN | {"name": "other"}
UNSEEN = {"existingConfigMap": "mine", "records": {"size": "1Gi"}}


@pytest.fixture(params=RENDERERS, ids=lambda render: str(render.__name__))
def helm(request: pytest.FixtureRequest) -> Helm:
    found: Helm = request.param
    return found


def sending(*targets: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Values with these Alertmanagers."""
    config = {"environment": "production", "records": PATH, "targets": list(targets)}
    return {"config": config, "records": {"size": "1Gi"}} | more


def pod_of(objects: list[Object]) -> Object:
    """The receiver's."""
    found: Object = find(objects, "Deployment", NAME)["spec"]["template"]
    return found


def fragments(objects: list[Object]) -> dict[str, Any]:
    """What each Alertmanager needs to send here, by the name of its target."""
    [data] = [each["data"] for each in every(objects, "ConfigMap") if each["metadata"]["name"].endswith("-routing")]
    found = {name: re.fullmatch(r"records-fragment-(.*)\.yml", name) for name in data}
    return {match[1]: yaml.safe_load(data[name]) for name, match in found.items() if match}


def address(fragment: Any) -> str:
    """Where a fragment sends to."""
    [receiver] = fragment["receivers"]
    url: str = receiver["webhook_configs"][0]["url"]
    return url


def test_the_program_takes_its_arguments_and_listens_where_the_service_leads(helm: Helm) -> None:
    objects = helm(WHOLE)
    [container] = pod_of(objects)["spec"]["containers"]
    command = typer.main.get_command(command_line).commands["receive"]  # type: ignore[attr-defined]

    given = command.make_context("receive", container["args"][1:]).params

    assert (container["args"][0], str(given["config"])) == ("receive", "/etc/closewatch/closewatch.yml")
    assert str(given["web_config"]) == "/etc/closewatch-web/web.yml"
    [port], [service] = container["ports"], find(objects, "Service", NAME)["spec"]["ports"]
    assert given["listen"] == f"0.0.0.0:{port['containerPort']}"
    assert service["targetPort"] == port["name"]
    assert volumes_of(pod_of(objects)["spec"])["web"]["secret"]["secretName"] == "closewatch-receiver-web"


def test_alertmanagers_are_told_addresses_that_the_receiver_has(helm: Helm, tmp_path: Path) -> None:
    objects = helm(WHOLE)
    path = tmp_path / "closewatch.yml"
    path.write_text(find(objects, "ConfigMap", "watch-closewatch")["data"]["closewatch.yml"], encoding="utf-8")
    receiver = Receiver(load(path))
    receiver.close()
    found = {name: urlsplit(address(fragment)) for name, fragment in fragments(objects).items()}
    port = find(objects, "Service", NAME)["spec"]["ports"][0]["port"]

    assert set(found) == {"main", "branch.office"}
    assert {url.path for url in found.values()} <= set(receiver.bodies())
    assert {f"{url.scheme}://{url.netloc}" for url in found.values()} == {f"https://{NAME}.monitoring.svc:{port}"}


def test_the_fragment_is_the_shipped_one_but_for_the_address(helm: Helm) -> None:
    [fragment] = fragments(helm(sending(MAIN))).values()
    text = yaml.safe_dump(fragment).replace(address(fragment), address(shipped.load("records-fragment.yml")))

    assert yaml.safe_load(text) == shipped.load("records-fragment.yml")


def test_the_resource_sends_what_the_fragment_sends(helm: Helm) -> None:
    objects = helm(WHOLE)
    fragment = fragments(objects)["main"]
    spec = find(objects, "AlertmanagerConfig", "watch-closewatch-records")["spec"]

    [receiver], [webhook] = spec["receivers"], fragment["receivers"][0]["webhook_configs"]
    assert receiver["webhookConfigs"] == [
        {
            "url": webhook["url"],
            "sendResolved": webhook["send_resolved"],
            "maxAlerts": webhook["max_alerts"],
            "httpConfig": WHOLE["alertmanagerConfig"]["records"]["httpConfig"],
        }
    ]
    assert spec["route"]["receiver"] == receiver["name"]


def test_only_alertmanager_comes_in_and_nothing_goes_out(helm: Helm) -> None:
    spec = find(helm(WHOLE), "NetworkPolicy", NAME)["spec"]

    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["egress"] == []
    [way] = spec["ingress"]
    assert way["from"] == WHOLE["networkPolicy"]["alertmanager"]
    assert way["ports"] == [{"port": "web", "protocol": "TCP"}]
    [usual] = find(helm(sending(MAIN)), "NetworkPolicy", NAME)["spec"]["ingress"][0]["from"]
    assert usual["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "alertmanager"}}


def test_it_has_nothing_that_the_others_ask_with(helm: Helm) -> None:
    """No password, no backup, no variable, no right of a cloud or of Kubernetes: others talk to it."""
    objects = helm(WHOLE)
    pod = pod_of(objects)["spec"]
    [container], [exporter] = pod["containers"], pods(objects)

    assert set(volumes_of(pod)) == {"config", "records", "tmp", "web"}
    assert "env" not in container
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] != exporter["spec"]["serviceAccountName"]
    assert "annotations" not in find(objects, "ServiceAccount", pod["serviceAccountName"])["metadata"]
    assert pod["securityContext"] == exporter["spec"]["securityContext"]
    assert container["securityContext"] == exporter["spec"]["containers"][0]["securityContext"]
    assert container["resources"]["limits"]["memory"]
    assert [mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")] == ["records", "tmp"]


def test_it_shares_the_records_with_the_worker_on_one_node(helm: Helm) -> None:
    objects = helm(WHOLE)
    worker = find(objects, "Deployment", "watch-closewatch-work")["spec"]["template"]
    own = pod_of(objects)

    assert own["spec"]["affinity"] == worker["spec"]["affinity"]
    assert volumes_of(own["spec"])["records"] == volumes_of(worker["spec"])["records"]
    label = own["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]["labelSelector"]
    for pod in (own, worker, *pods(objects)):
        assert label["matchLabels"].items() <= pod["metadata"]["labels"].items()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_its_probes_ask_a_path_that_it_has(helm: Helm, scheme: str, tmp_path: Path) -> None:
    path = tmp_path / "closewatch.yml"
    path.write_text(yaml.safe_dump(sending(MAIN)["config"]), encoding="utf-8")
    receiver = Receiver(load(path))
    receiver.close()

    [container] = pod_of(helm(sending(MAIN, receiver={"web": {"scheme": scheme}})))["spec"]["containers"]

    for probe in (container["livenessProbe"], container["readinessProbe"]):
        assert probe["httpGet"]["path"] in receiver.routes()
        assert (probe["httpGet"]["port"], probe["httpGet"]["scheme"]) == ("web", scheme.upper())
    [container] = pod_of(helm(WHOLE))["spec"]["containers"]
    assert container["livenessProbe"]["tcpSocket"] == container["readinessProbe"]["tcpSocket"] == {"port": "web"}


@pytest.mark.parametrize(
    "values",
    [
        sending(MAIN | {"notifications": False}),
        sending(MAIN, receiver={"enabled": False}),
        UNSEEN,
        VALUES["restores"],
        VALUES["minimal"],
    ],
    ids=["sends nothing", "not wanted", "can't be seen", "no Alertmanager", "no records"],
)
def test_where_nothing_is_sent_there_is_no_receiver(helm: Helm, values: dict[str, Any]) -> None:
    objects = helm(values)

    assert [each["kind"] for each in objects if each["metadata"]["name"] == NAME] == []
    assert fragments(objects) == {}


def test_by_concern_it_belongs_to_alertmanager_and_keeps_its_address(helm: Helm) -> None:
    redis = {"kind": "redis", "name": "sessions"}
    one, split = (helm(sending(MAIN, redis, deployments=each)) for each in ("one", "by-concern"))

    assert volumes_of(pod_of(split)["spec"])["config"] == {"configMap": {"name": "watch-closewatch-alertmanager"}}
    assert [address(each["main"]) for each in map(fragments, (one, split))] == [
        f"http://{NAME}.monitoring.svc:10188/notifications/main"
    ] * 2


def test_a_configuration_of_ones_own_can_have_one(helm: Helm) -> None:
    objects = helm(UNSEEN | {"receiver": {"enabled": True}})

    assert volumes_of(pod_of(objects)["spec"])["config"] == {"configMap": {"name": "mine"}}
    assert set(fragments(objects)) == {"NAME"}


CUSTOM: dict[str, Any] = {"enabled": True, "receivers": {"page": {"a": []}, "ticket": {"a": []}}}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"receiver": {"enabled": True}}, "receiver.enabled: what it takes needs config.records and a volume for it"),
        ({"config": {"targets": [MAIN]}}, "main has scheduled checks, whose results need config.records"),
        (
            sending({"kind": "redis", "name": "a"}, receiver={"enabled": True}),
            "no target of config.targets is an Alert",
        ),
        (sending(MAIN | {"notifications": False}, receiver={"enabled": True}), "no target of config.targets is an Ale"),
        (sending({"kind": "alertmanager"}), "a target of kind alertmanager has no name"),
        (sending(MAIN, OTHER, alertmanagerConfig=CUSTOM), "records.target is missing: which target of kind"),
        (
            sending(MAIN, alertmanagerConfig=CUSTOM | {"records": {"target": "b"}}),
            "no Alertmanager b sends its notific",
        ),
        (UNSEEN | {"receiver": {"enabled": True}, "alertmanagerConfig": CUSTOM}, "some that the chart can't see"),
        (sending(MAIN, networkPolicy={"alertmanager": []}), "alertmanager"),
    ],
)
def test_what_cant_work_is_refused(helm: Helm, values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(complaint)):
        helm(values)


def test_the_notes_say_who_must_send_here_and_what_is_open() -> None:
    whole, bare, without = (
        notes(values) for values in (WHOLE, sending(MAIN), sending(MAIN, receiver={"enabled": False}))
    )

    assert f"branch.office must send to https://{NAME}.monitoring.svc:10188/notifications/branch.office" in whole
    assert "main must send" not in whole  # the resource leads there
    assert "asks for no login" not in whole
    assert f"main must send to http://{NAME}.monitoring.svc:10188/notifications/main" in bare
    assert "The receiver asks for no login" in bare
    assert "Nothing takes what is sent by main" in without
