"""A Cluster object as the operator writes it, through its life: what is a change, what is a loss, what is asleep.

The objects have the form of CloudNativePG's published types (api/v1, 2026): phases are whole sentences, what is 0 is
left out, and hibernation is an annotation with a condition beside it, as its documentation shows.
"""

from __future__ import annotations

from typing import Any

import pytest

from closewatch.core.collectors import Answer, Memory, Reason, Unavailable
from closewatch.core.targets import Target
from closewatch.postgresql import cloudnativepg
from closewatch.postgresql.cloudnativepg import CLOUDNATIVEPG, asleep, read

TARGET = Target.of("postgresql", "pg-07", environment="test")
HEALTHY, SWITCHOVER, FAILING_OVER = "Cluster in healthy state", "Switchover in progress", "Failing over"
WAITING = "Waiting for the instances to become active"


def cluster(phase: str = HEALTHY, ready: int = 3, *, annotations: Any = None, reason: str = "", **status: Any) -> Any:
    more = {"lastTransitionTime": "2026-08-21T15:33:31Z", "message": "in the operator's words"}
    conditions = [{"type": "Ready", "status": "True", "reason": "ClusterIsReady", **more}]
    if reason:
        state = "True" if reason == "Hibernated" else "False"
        conditions.append({"type": "cnpg.io/hibernation", "status": state, "reason": reason, **more})
    about = {"name": "pg-07", "namespace": "books", **({"annotations": annotations} if annotations else {})}
    found = {"phase": phase, "instances": 3, "currentPrimary": "pg-07-1", "targetPrimary": "pg-07-1", **status}
    if ready:
        found["readyInstances"] = ready
    return {"metadata": about, "spec": {"instances": 3}, "status": {**found, "conditions": conditions}}


def asleep_cluster(reason: str = "Hibernated", ready: int = 0) -> Any:
    return cluster(ready=ready, annotations={"cnpg.io/hibernation": "on"}, reason=reason)


def told(found: Any, memory: Memory | None = None, at: float = 1000.0) -> dict[str, float]:
    """The values by the family's last words; the phase as `phase_WORD`."""
    answer = Answer({"main": [{"object": found}]}, 0, at)
    values: dict[str, float] = {}
    for sample in read(answer, TARGET, {} if memory is None else memory):
        assert sample.family in CLOUDNATIVEPG.families
        if sample.value is not None:
            name = sample.family.name.removeprefix("closewatch_postgresql_cloudnativepg_")
            values["_".join((name, *sample.labels))] = sample.value
    return values


def test_a_healthy_cluster() -> None:
    assert told(cluster()) == {
        "instances": 3,
        "instances_ready": 3,
        "phase_healthy": 1,
        "hibernated": 0,
        "fenced_instances": 0,
    }


def test_what_is_left_out_is_0() -> None:
    assert told(cluster(ready=0))["instances_ready"] == 0


def test_a_cluster_that_is_too_new_to_have_a_status() -> None:
    assert told({"metadata": {}, "spec": {"instances": 3}}) == {"instances": 3, "hibernated": 0, "fenced_instances": 0}


@pytest.mark.parametrize(
    "found", [{}, {"spec": {}}, {"spec": []}, {"spec": {"instances": "3"}}, {"spec": {"instances": True}}]
)
def test_what_is_no_cluster(found: Any) -> None:
    with pytest.raises(Unavailable) as caught:
        told(found)
    assert caught.value.reason is Reason.INVALID_ANSWER


@pytest.mark.parametrize(
    "status", [[], {"phase": ["x"]}, {"phase": "x", "conditions": 3}, {"phase": "x", "conditions": [3, {}]}]
)
def test_a_status_that_makes_no_sense_excuses_nothing(status: Any) -> None:
    found = told({**cluster(), "status": status})
    assert (found["hibernated"], "change_start_timestamp_seconds" in found) == (0, False)


@pytest.mark.parametrize(
    "phase",
    [SWITCHOVER, "Upgrading cluster", "Online upgrade in progress", "Primary instance is being restarted in-place"],
)
def test_a_change_has_the_time_at_which_it_was_first_seen(phase: str) -> None:
    memory: Memory = {}
    assert "change_start_timestamp_seconds" not in told(cluster(), memory, at=1000)
    assert told(cluster(phase, 2), memory, at=1015)["change_start_timestamp_seconds"] == 1015
    assert told(cluster(phase, 2), memory, at=1030)["change_start_timestamp_seconds"] == 1015
    assert "change_start_timestamp_seconds" not in told(cluster(), memory, at=1045)
    assert told(cluster(phase, 2), memory, at=1060)["change_start_timestamp_seconds"] == 1060


@pytest.mark.parametrize("phase", [HEALTHY, FAILING_OVER, WAITING, "Creating a new replica", "Something quite new"])
def test_an_instance_that_is_missing_is_no_change(phase: str) -> None:
    assert "change_start_timestamp_seconds" not in told(cluster(phase, 2))


def test_a_phase_that_isn_t_known_is_other() -> None:
    assert told(cluster("Something quite new"))["phase_other"] == 1


def test_a_switchover_after_a_failover_is_the_rest_of_the_loss() -> None:
    """When the instance that it fails over to is not well either, the operator calls the next step a switchover."""
    memory: Memory = {}
    told(cluster(FAILING_OVER, 2), memory)
    assert "change_start_timestamp_seconds" not in told(cluster(SWITCHOVER, 2), memory)
    told(cluster(HEALTHY, 2), memory)
    assert "change_start_timestamp_seconds" not in told(cluster(SWITCHOVER, 2), memory), "not whole yet"
    told(cluster(), memory)
    assert "change_start_timestamp_seconds" in told(cluster(SWITCHOVER, 2), memory)


def test_a_primary_that_fails_is_no_change_whatever_the_phase() -> None:
    failing = cluster(SWITCHOVER, 2, currentPrimaryFailingSinceTimestamp="2026-08-21T15:33:31.000000Z")
    assert "change_start_timestamp_seconds" not in told(failing)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("DeletingPods", 1), ("WaitingPodsDeletion", 1), ("Hibernated", 1), ("WaitingForHealthy", 0), ("", 0)],
)
def test_hibernation_counts_from_when_pods_go(reason: str, expected: int) -> None:
    assert told(asleep_cluster(reason))["hibernated"] == expected


def test_the_annotation_alone_or_the_condition_alone_is_no_hibernation() -> None:
    assert told(cluster(annotations={"cnpg.io/hibernation": "off"}, reason="Hibernated"))["hibernated"] == 0
    assert told(cluster(annotations={"cnpg.io/hibernation": "on"}))["hibernated"] == 0


def test_waking_up_is_a_change_until_the_cluster_is_whole() -> None:
    memory: Memory = {}
    assert "change_start_timestamp_seconds" not in told(asleep_cluster(), memory, at=1000)
    assert told(cluster(HEALTHY, 0), memory, at=1015)["change_start_timestamp_seconds"] == 1015
    assert told(cluster(WAITING, 1), memory, at=1030)["change_start_timestamp_seconds"] == 1015
    assert "change_start_timestamp_seconds" not in told(cluster(), memory, at=1045)
    assert "change_start_timestamp_seconds" not in told(cluster(WAITING, 2), memory, at=1060), "that is a loss now"


def test_asleep_counts_for_an_hour_without_news() -> None:
    memory: Memory = {}
    assert not asleep(memory, 1000)
    told(asleep_cluster(), memory, at=1000)
    assert asleep(memory, 1000 + cloudnativepg.KNOWN_FOR - 1)
    assert not asleep(memory, 1000 + cloudnativepg.KNOWN_FOR)
    told(cluster(), memory, at=1030)
    assert not asleep(memory, 1031)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [('["pg-07-2"]', 1), ('["*"]', 3), ("[]", 0), ("broken", None), ('{"a": 1}', None), ("[" * 100_000, None)],
)
def test_fenced_instances(annotation: str, expected: float | None) -> None:
    assert told(cluster(annotations={"cnpg.io/fencedInstances": annotation})).get("fenced_instances") == expected
