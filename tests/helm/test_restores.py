"""The scheduled lane in the chart: restore tests as CronJobs, the worker, and the records that all of them share."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main
import yaml

from closewatch.cli import main as command_line
from closewatch.core.settings import TargetSettings
from closewatch.kinds import SETTINGS, load
from closewatch.restores.scratch import LONGEST_PATH
from closewatch.work import GRACE
from tests.helm.chart import (
    CHART,
    RENDERERS,
    VALUES,
    Helm,
    every,
    find,
    lane,
    pods,
    serving,
)
from tests.helm.plans import PATH, RESTORES, VERIFIED, planned, pod_of, volumes_of

CLAIM = "watch-closewatch-records"


@pytest.fixture(params=RENDERERS, ids=lambda render: str(render.__name__))
def helm(request: pytest.FixtureRequest) -> Helm:
    found: Helm = request.param
    return found


def test_each_plan_is_a_cronjob_that_runs_it_alone(helm: Helm) -> None:
    objects = helm(RESTORES)
    work = typer.main.get_command(command_line).commands["work"]  # type: ignore[attr-defined]
    plans = [each["name"] for each in RESTORES["config"]["targets"] if each["kind"] == "restores"]

    found = []
    for job in every(objects, "CronJob"):
        spec = job["spec"]
        assert (spec["concurrencyPolicy"], spec["jobTemplate"]["spec"]["backoffLimit"]) == ("Forbid", 0)
        [container] = pod_of(job)["containers"]
        given = work.make_context("work", container["args"][1:]).params
        assert (container["args"][0], str(given["config"])) == ("work", "/etc/closewatch/closewatch.yml")
        found.append(given["once"])
    assert found == [("restore", plan) for plan in plans]


def test_a_plan_has_its_own_schedule_version_and_room(helm: Helm) -> None:
    zipped, cluster, _ = every(helm(RESTORES), "CronJob")

    assert [each["spec"]["schedule"] for each in (zipped, cluster)] == ["17 2 * * 6", "30 1 * * 0"]
    assert [pod_of(each)["containers"][0]["image"] for each in (zipped, cluster)] == [
        "closewatch-restore:0.1.0-pg17",
        "closewatch-restore:0.1.0-pg16",
    ]
    rooms = [
        volumes_of(pod_of(each))["scratch"]["ephemeral"]["volumeClaimTemplate"]["spec"] for each in (zipped, cluster)
    ]
    assert [room["resources"]["requests"]["storage"] for room in rooms] == ["100Gi", "500Gi"]
    assert {room["storageClassName"] for room in rooms} == {"scratch"}
    assert pod_of(cluster)["containers"][0]["resources"] == {"limits": {"memory": "8Gi"}}


def test_a_test_ends_by_itself_before_kubernetes_ends_it(helm: Helm) -> None:
    short, default, _ = every(helm(RESTORES), "CronJob")
    limit = SETTINGS["restores"].model_fields["limit"].default

    for job, seconds in ((short, 7200), (default, limit)):
        assert job["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] > seconds + GRACE
        assert pod_of(job)["terminationGracePeriodSeconds"] > GRACE


def test_what_was_restored_goes_away_with_itspod_of(helm: Helm) -> None:
    """An ephemeral volume lives as long as its pod, also when that has ended."""
    for job in every(helm(RESTORES), "CronJob"):
        spec = job["spec"]["jobTemplate"]["spec"]
        volumes = volumes_of(pod_of(job))
        assert spec["ttlSecondsAfterFinished"] <= 3600
        assert [name for name, source in volumes.items() if "ephemeral" in source] == ["scratch"]
        [container] = pod_of(job)["containers"]
        mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
        assert {"name": "TMPDIR", "value": mounts["scratch"]["mountPath"]} in container["env"]
        assert len(mounts["scratch"]["mountPath"]) < LONGEST_PATH


def test_pods_of_the_lane_are_restricted(helm: Helm) -> None:
    objects = helm(RESTORES)
    [exporter] = pods(objects)
    same = ("runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "seccompProfile")

    assert len(lane(objects)) == 4
    for pod in (each["spec"] for each in lane(objects)):
        assert all(pod["securityContext"][key] == exporter["spec"]["securityContext"][key] for key in same)
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        allowed = {"configMap", "secret", "emptyDir", "persistentVolumeClaim", "ephemeral"}
        assert all(set(volume) - {"name"} <= allowed for volume in pod["volumes"])
        [container] = pod["containers"]
        assert container["securityContext"] == exporter["spec"]["containers"][0]["securityContext"]
        assert container["resources"]["limits"]["memory"]
        writable = {mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        assert writable <= {"records", "tmp", "scratch", "shm"}


def test_all_that_open_the_records_are_on_one_node(helm: Helm) -> None:
    """Each looks for a label that it has itself, so the first one of all gets in; what else was asked for stays."""
    objects = helm(RESTORES)
    found = pods(objects) + lane(objects)

    for pod in found:
        *others, term = pod["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["topologyKey"] == "kubernetes.io/hostname"
        assert all(term["labelSelector"]["matchLabels"].items() <= each["metadata"]["labels"].items() for each in found)
        assert volumes_of(pod["spec"])["records"] == {"persistentVolumeClaim": {"claimName": CLAIM}}
        assert bool(others) == (pod in pods(objects))
    claim = find(objects, "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    other = helm(RESTORES, name="other")
    labels = [pod["metadata"]["labels"]["closewatch/records"] for pod in (found[0], pods(other)[0])]
    assert len(set(labels)) == 2


def test_without_records_nothing_is_bound_to_a_node(helm: Helm) -> None:
    objects = helm(VALUES["minimal"])

    [pod] = pods(objects)
    assert lane(objects) == every(objects, "PersistentVolumeClaim") == []
    assert "affinity" not in pod["spec"]
    assert "closewatch/records" not in pod["metadata"]["labels"]


def test_the_worker_has_all_but_the_restore_tests(helm: Helm, tmp_path: Path) -> None:
    objects = helm(RESTORES)
    worker = find(objects, "Deployment", "watch-closewatch-work")
    path = tmp_path / "work.yml"
    path.write_text(find(objects, "ConfigMap", "watch-closewatch")["data"]["work.yml"], encoding="utf-8")

    [container] = worker["spec"]["template"]["spec"]["containers"]
    work = typer.main.get_command(command_line).commands["work"]  # type: ignore[attr-defined]
    given = work.make_context("work", container["args"][1:]).params

    assert (str(given["config"]), given["once"]) == ("/etc/closewatch/work.yml", None)
    assert (worker["spec"]["replicas"], worker["spec"]["strategy"]) == (1, {"type": "Recreate"})
    targets = load(path).targets
    assert [each.name for each in targets] == ["acme-offsite", "pg-07-base"]
    assert container["image"] == "closewatch:0.1.0"


def test_a_worker_that_verifies_has_the_tools(helm: Helm) -> None:
    config = {"environment": "production", "records": PATH, "targets": [VERIFIED]}

    worker = find(helm({"config": config, "records": {"size": "1Gi"}}), "Deployment", "watch-closewatch-work")

    assert worker["spec"]["template"]["spec"]["containers"][0]["image"] == "closewatch-restore:0.1.0-pg17"


def test_each_reaches_only_what_it_must_and_nobody_comes_in(helm: Helm) -> None:
    objects = helm(RESTORES)
    ways = {}
    for policy in every(objects, "NetworkPolicy"):
        if policy["metadata"]["name"] != "watch-closewatch":
            assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
            assert "ingress" not in policy["spec"]
            dns, *others = policy["spec"]["egress"]
            assert {each["port"] for each in dns["ports"]} == {53}
            found = {(each["port"], each["protocol"]) for rule in others for each in rule["ports"]}
            ways[policy["metadata"]["name"].removeprefix("watch-closewatch-")] = found

    assert ways == {
        "work": {(9000, "TCP"), (6514, "TCP"), (514, "TCP"), (514, "UDP")},
        "restore-acme-zip": {(9000, "TCP")},
        "restore-pg-07": set(),
        "restore-amazon-dumps-of-a-bd8d60e7": {(443, "TCP")},
    }


@pytest.mark.parametrize(
    ("repository", "port"),
    [
        ("s3:https://s3.example.net:9000/backups", 9000),
        ("s3:s3.amazonaws.com/backups", 443),
        ("rest:https://backups.example.net/", 443),
        ("sftp:backups@backups.example.net:/backups", 22),
        ("/backups/restic", None),
    ],
)
def test_a_repository_of_restic_is_reached(helm: Helm, repository: str, port: int | None) -> None:
    restic = {"repository": repository, "password": "/run/secrets/closewatch/restic"}
    objects = helm(planned(plan={"origin": {"restic": restic}}))

    _, *others = find(objects, "NetworkPolicy", "watch-closewatch-restore-books")["spec"]["egress"]

    assert port is None or port in {each["port"] for rule in others for each in rule["ports"]}
    assert port is not None or others == []


def test_restores_belong_to_the_process_of_backups_and_others_keep_no_records(helm: Helm) -> None:
    targets = [*planned()["config"]["targets"], {"kind": "redis", "name": "sessions"}, VERIFIED]
    config = {"environment": "production", "records": PATH, "targets": targets}

    objects = helm(planned() | {"deployments": "by-concern", "config": config, "concerns": {"backups": {}}})

    names = {each["metadata"]["name"]: each["spec"]["template"] for each in serving(objects)}
    assert set(names) == {"watch-closewatch-backups", "watch-closewatch-redis"}
    bound = [name for name, pod in names.items() if "records" in volumes_of(pod["spec"])]
    assert bound == ["watch-closewatch-backups"]
    texts = {name: find(objects, "ConfigMap", name)["data"]["closewatch.yml"] for name in names}
    assert [name for name, text in texts.items() if "records" in yaml.safe_load(text)] == bound
    [job] = every(objects, "CronJob")
    assert pod_of(job)["serviceAccountName"] == "watch-closewatch-backups"
    assert volumes_of(pod_of(job))["config"] == {"configMap": {"name": "watch-closewatch-backups"}}
    assert find(objects, "Deployment", "watch-closewatch-backups-work")


def test_the_chart_knows_which_kinds_have_checks() -> None:
    """By concern the processes of others get no records, so this list must not be short of one."""
    text = (CHART / "templates/_work.tpl").read_text("utf-8")
    listed = re.findall(r"^- ([a-z]+)$", text, re.MULTILINE)

    assert {kind for kind, found in SETTINGS.items() if found.checks is not TargetSettings.checks} <= set(listed)
