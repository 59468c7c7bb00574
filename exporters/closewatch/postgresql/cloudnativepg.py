"""Does the operator of a CloudNativePG cluster know of it: is this loss, or on purpose?

    closewatch_postgresql_cloudnativepg_instances 3
    closewatch_postgresql_cloudnativepg_instances_ready 2
    closewatch_postgresql_cloudnativepg_phase{phase="switchover"} 1
    closewatch_postgresql_cloudnativepg_hibernated 0
    closewatch_postgresql_cloudnativepg_change_start_timestamp_seconds 1.7324e+09
    closewatch_postgresql_cloudnativepg_fenced_instances 0

A change that somebody asked for (a switchover, an upgrade, a restart, waking up from hibernation) has a start,
counted from when it was first seen here; the rules excuse what it breaks for some minutes, not for ever. A failover
is none: after one, and while the primary is said to fail, the operator's "switchover" is the rest of the loss, until
the cluster was healthy again. A hibernated cluster is not expected to answer, nor are the databases on it
(`closewatch_target_expected`).

The phase is the operator's sentence as a word of a closed set; a sentence that isn't known is `other`, and excuses
nothing.

Rights: `get` on clusters.postgresql.cnpg.io in the cluster's namespace. Cost: one GET. Source: the Cluster object
(v1) of CloudNativePG: its annotations, spec.instances, status.phase, readyInstances, conditions, currentPrimary,
targetPrimary.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from closewatch.core.collectors import Answer, Collector, Memory, Reason, Unavailable
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.kubernetes.query import CustomObject

NAME = "cloudnativepg"
INSTANCES = Gauge(
    "closewatch_postgresql_cloudnativepg_instances", "Instances that the Cluster object asks for, the primary included."
)
READY = Gauge("closewatch_postgresql_cloudnativepg_instances_ready", "Instances that the operator says are ready.")
PHASE = Gauge(
    "closewatch_postgresql_cloudnativepg_phase",
    "What the operator says it is doing, as a word of a closed set; present, with value 1, only for the present one.",
    ("phase",),
)
HIBERNATED = Gauge(
    "closewatch_postgresql_cloudnativepg_hibernated",
    "Whether the cluster was put to sleep on purpose, or is being (1), or not (0).",
)
CHANGE_START = Gauge(
    "closewatch_postgresql_cloudnativepg_change_start_timestamp_seconds",
    "When a change that somebody asked for was first seen; present only while one is under way.",
)
FENCED = Gauge(
    "closewatch_postgresql_cloudnativepg_fenced_instances",
    "Instances whose PostgreSQL somebody has stopped by fencing.",
)

HEALTHY, FAILOVER, HIBERNATION = "healthy", "failover", "cnpg.io/hibernation"
PHASES: Mapping[str, str] = {
    "Cluster in healthy state": HEALTHY,
    "Switchover in progress": "switchover",
    "Failing over": FAILOVER,
    "Setting up primary": "creating",
    "Creating a new replica": "creating",
    "Upgrading cluster": "upgrade",
    "Upgrading Postgres major version": "upgrade",
    "Online upgrade in progress": "upgrade",
    "Primary instance is being restarted in-place": "restart",
    "Primary instance is being restarted without a switchover": "restart",
    "Waiting for the instances to become active": "waiting",
    "Waiting for user action": "waiting_for_user",
    "Cluster upgrade delayed": "waiting",
    "Applying configuration": "configuration",
    "Cluster is unrecoverable and needs manual intervention": "unrecoverable",
}
PLANNED = {"switchover", "upgrade", "restart"}
ASLEEP = {"DeletingPods", "WaitingPodsDeletion", "Hibernated"}
"""Reasons of the condition with which pods are gone, or going; in `WaitingForHealthy` they are all there."""

KNOWN_FOR = 3600.0
"""Seconds for which the last word about hibernation counts, where the API doesn't answer."""

CLUSTER = CustomObject("postgresql.cnpg.io", "v1", "clusters")


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The Cluster object; memory holds since when a change is seen, and whether it came of a loss."""
    found = answer.one()["object"]
    spec, status, about = (_mapping(found.get(key)) for key in ("spec", "status", "metadata"))
    annotations = _mapping(about.get("annotations"))
    wanted = _count(spec.get("instances"))
    if wanted is None:
        raise Unavailable(Reason.INVALID_ANSWER, "a Cluster without spec.instances")
    # The API leaves out what is 0; a cluster that is new has no status at all.
    ready = _count(status.get("readyInstances", 0)) if status else None
    phase = PHASES.get(str(status.get("phase")), "other") if status else None
    hibernated = annotations.get(HIBERNATION) == "on" and _reason(status) in ASLEEP
    yield INSTANCES(wanted)
    yield READY(ready)
    if phase is not None:
        yield PHASE(1, phase=phase)
    yield HIBERNATED(hibernated)
    yield FENCED(_fenced(annotations.get("cnpg.io/fencedInstances"), wanted))
    whole = phase == HEALTHY and ready == wanted
    yield CHANGE_START(
        _change_start(memory, answer.asked_at, _changing(memory, status, phase, hibernated, whole=whole))
    )


def asleep(memory: Mapping[str, Any], now: float) -> bool:
    """Whether a cluster was hibernated when it was last looked at, of late."""
    return bool(memory.get("hibernated")) and now - float(memory["seen"]) < KNOWN_FOR


def _changing(memory: Memory, status: Mapping[str, Any], phase: str | None, hibernated: bool, *, whole: bool) -> bool:
    if phase == FAILOVER or status.get("currentPrimaryFailingSinceTimestamp"):
        memory["lost"] = True
    elif whole or hibernated:
        memory["lost"] = False
    if hibernated:
        memory["waking"] = True
    elif whole:
        memory["waking"] = False
    memory["hibernated"] = hibernated
    return not hibernated and not memory.get("lost") and (phase in PLANNED or bool(memory.get("waking")))


def _change_start(memory: Memory, now: float, changing: bool) -> float | None:
    memory["seen"] = now
    if not changing:
        memory.pop("change", None)
        return None
    start: float = memory.setdefault("change", now)
    return start


def _reason(status: Mapping[str, Any]) -> str:
    conditions = status.get("conditions")
    for condition in conditions if isinstance(conditions, list) else ():
        if isinstance(condition, dict) and condition.get("type") == HIBERNATION:
            return str(condition.get("reason"))
    return ""


def _fenced(annotation: Any, instances: float) -> float | None:
    """How many are fenced, of a JSON list of names in an annotation; "*" is all of them."""
    if annotation is None:
        return 0
    try:
        names = json.loads(str(annotation))
    except (ValueError, RecursionError):
        return None
    if not isinstance(names, list):
        return None
    return instances if "*" in names else len(names)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> float | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


CLOUDNATIVEPG = Collector(
    NAME,
    ask={"main": CLUSTER},
    read=read,
    families=(INSTANCES, READY, PHASE, HIBERNATED, CHANGE_START, FENCED),
)
