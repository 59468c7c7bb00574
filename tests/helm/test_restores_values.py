"""What the values say of restore tests: images, claims, names, what is refused, and the notes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.helm.chart import (
    RENDERERS,
    Helm,
    RefusedError,
    every,
    find,
    lane,
    notes,
    pods,
)
from tests.helm.plans import DUMP, PATH, RESTORES, VERIFIED, planned, pod_of, volumes_of


@pytest.fixture(params=RENDERERS, ids=lambda render: str(render.__name__))
def helm(request: pytest.FixtureRequest) -> Helm:
    found: Helm = request.param
    return found


def test_a_digest_takes_the_place_of_the_tag(helm: Helm) -> None:
    digest, other = (f"sha256:{letter * 64}" for letter in "ab")
    images = []
    for plans in ({}, {"books": {"digest": other}}, {"books": {"postgresql": 15}}):
        [job] = every(helm(planned(restores={"image": {"digest": digest}, "plans": plans})), "CronJob")
        images.append(pod_of(job)["containers"][0]["image"])

    assert images == [f"closewatch-restore@{digest}", f"closewatch-restore@{other}", "closewatch-restore:0.1.0-pg15"]


def test_a_claim_that_is_there_is_taken(helm: Helm) -> None:
    objects = helm(planned(records={"persistentVolumeClaim": "evidence"}))

    assert every(objects, "PersistentVolumeClaim") == []
    for pod in pods(objects) + lane(objects):
        assert volumes_of(pod["spec"])["records"] == {"persistentVolumeClaim": {"claimName": "evidence"}}


def test_names_fit_and_no_two_plans_share_one(helm: Helm) -> None:
    """Kubernetes takes 52 characters for a CronJob, and only small letters, digits and hyphens."""
    names = ["a" * 63, "a" * 62 + "b", "Books", "books", "books_1", "books.1", "books-1", "end-", "end"]
    targets = [{"kind": "restores", "name": name, "origin": DUMP, "database": "acme"} for name in names]
    values = planned() | {"config": {"environment": "production", "records": PATH, "targets": targets}}

    for release in ("watch", "a-release-with-a-name-that-is-as-long-as-helm-allows"[:53]):
        found = [each["metadata"]["name"] for each in every(helm(values, name=release), "CronJob")]
        assert len(set(found)) == len(names)
        assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?", name) for name in found), found


def test_a_release_doesnt_share_the_jobs_of_another(helm: Helm) -> None:
    long = "x" * 60
    one, other = (helm(planned(long), name=name) for name in ("watch", "watch-two"))

    assert not {each["metadata"]["name"] for each in every(one, "CronJob")} & {
        each["metadata"]["name"] for each in every(other, "CronJob")
    }


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (planned(records={}), "config.records needs a volume"),
        (planned(records={"size": "1Gi", "persistentVolumeClaim": "a"}), "not both"),
        ({"records": {"size": "1Gi"}}, "config.records is missing"),
        ({"config": {"targets": [{"kind": "restores", "name": "a"}]}}, "a has scheduled checks"),
        ({"config": {"targets": [VERIFIED]}}, "repo has scheduled checks"),
        ({"config": {"targets": [{"kind": "backups", "name": "b", "s3": {}, "posture": {}}]}}, "b has scheduled"),
        (planned(records={"size": "1Gi", "mountPath": "/records"}), "is not below records.mountPath /records"),
        (planned(plan={"scratch": "/var/tmp"}), "books: leave scratch out"),
        (planned(restores={"plans": {"acme": {}}}), "restores.plans.acme: no target of kind restores has this name"),
        ({"restores": {"enabled": True}}, "no target of config.targets is of kind restores"),
        ({"restores": {"enabled": True}, "existingConfigMap": "mine"}, "can't see the plans of an existingConfigMap"),
        ({"worker": {"enabled": True}}, "needs config.records and a volume"),
        (planned(restores={"plans": {"books": {"schedule": "nightly"}}}), "schedule"),
        (planned(restores={"volume": {"size": "large"}}), "size"),
        (planned(restores={"image": {"tag": "latest"}}), "tag"),
    ],
)
def test_what_cant_work_is_refused(helm: Helm, values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(complaint)):
        helm(values)


def test_a_configuration_of_ones_own_can_be_worked_on(helm: Helm) -> None:
    values = {"existingConfigMap": "mine", "records": {"size": "1Gi"}}

    assert lane(helm(values)) == []
    [worker] = lane(helm(values | {"worker": {"enabled": True}}))
    assert volumes_of(worker["spec"])["config"] == {"configMap": {"name": "mine"}}


def test_restore_tests_can_be_left_to_another_place(helm: Helm) -> None:
    objects = helm(planned(restores={"enabled": False}))

    assert every(objects, "CronJob") == []
    assert find(objects, "Deployment", "watch-closewatch-work")


def test_the_notes_name_what_runs_and_what_is_missing() -> None:
    bare = planned(plan={"origin": {"volume_snapshot": "pvc-1"}})

    whole, unmounted, snapshot = (notes(values) for values in (RESTORES, planned(), bare))

    assert "CronJob watch-closewatch-restore-pg-07: restore test pg-07, at 30 1 * * 0 (Etc/UTC)" in whole
    assert "which nothing mounts" not in whole
    assert "books reads /backups, which nothing mounts" in unmounted
    assert "Nobody signs the records" in unmounted
    assert "books is a volume snapshot: it can't be tested" in snapshot
