"""The Backup objects of a CloudNativePG cluster, and its recovery window.

With the Barman Cloud plugin the window's begin stands in its ObjectStore; without it, in the Cluster. A zero time is
none. When the last WAL was archived stands nowhere: the window's end is not known. Rights: `get` on clusters, `list` on
backups (postgresql.cnpg.io), and `list` on objectstores (barmancloud.cnpg.io) where the plugin is. Source: the types in
CloudNativePG's and plugin-barman-cloud's api/v1.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from closewatch.backups.found import Fault, Type
from closewatch.backups.judge import AHEAD, State
from closewatch.backups.reading import mapping, time_of, understood
from closewatch.backups.rows import Tables, place, row
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.kubernetes.api import Kubernetes

GROUP, PLUGIN, VERSION = "postgresql.cnpg.io", "barmancloud.cnpg.io", "v1"
UNDER_WAY = {"", "pending", "started", "running", "finalizing"}
_TYPES = {"barmanObjectStore": Type.FULL, "plugin": Type.FULL, "volumeSnapshot": Type.VOLUME_SNAPSHOT}
_FAULTS = {"failed": Fault.FAILED, "walArchivingFailing": Fault.WAITING_FOR_WAL}


class CloudNativePG:
    """The backups of one cluster."""

    def __init__(self, api: Kubernetes, namespace: str, cluster: str) -> None:
        self._api = api
        self._namespace = namespace
        self._cluster = cluster

    def look(self, deadline: Deadline) -> Tables:
        """The tables `main` and `place`. Raises Unavailable."""
        cluster = self._api.object(deadline, GROUP, VERSION, "clusters", self._namespace, self._cluster)
        backups = self._api.objects(deadline, GROUP, VERSION, "backups", self._namespace)
        try:
            stores = self._api.objects(deadline, PLUGIN, VERSION, "objectstores", self._namespace)
        except Unavailable as failure:
            if failure.reason not in {Reason.MISSING, Reason.PERMISSION}:
                raise
            stores = []
        return tables(cluster, backups, stores, self._cluster, time.time())


def tables(cluster: Any, backups: Sequence[Any], stores: Sequence[Any], name: str, now: float) -> Tables:
    """The rows of the objects of one cluster."""
    mine = understood("a Backup", lambda: [one for one in backups if one["spec"]["cluster"]["name"] == name])
    rows = understood("a Backup", lambda: [_row(one, now) for one in mine])
    first = understood("the recovery window", lambda: _first(mapping(cluster.get("status")), stores, name))
    good = any(one["state"] == State.GOOD.value and one["type"] == Type.FULL.value for one in rows)
    window = {"since": first} if first is not None and good else {}
    status = understood("the Cluster", lambda: _archiving(mapping(cluster.get("status"))))
    return {"main": rows, "place": [place(rows, status=status, **window)]}


def _first(status: Mapping[str, Any], stores: Sequence[Any], name: str) -> float | None:
    for store in stores:
        window = mapping(mapping(mapping(store.get("status")).get("serverRecoveryWindow")).get(name))
        found = time_of(window.get("firstRecoverabilityPoint"))
        if found is not None:
            return found
    return time_of(status.get("firstRecoverabilityPoint"))


def _archiving(status: Mapping[str, Any]) -> str | None:
    for one in status.get("conditions") or ():
        if one["type"] == "ContinuousArchiving":
            return {"True": "ok", "False": "archiving_failed"}.get(one["status"])
    return None


def _row(one: Mapping[str, Any], now: float) -> Mapping[str, Any]:
    status, method = mapping(one.get("status")), str(one["spec"].get("method") or "barmanObjectStore")
    phase = str(status.get("phase") or "")
    began, ended = time_of(status.get("startedAt")), time_of(status.get("stoppedAt"))
    at = ended or began or time_of(one["metadata"]["creationTimestamp"])
    if at is None:
        raise ValueError
    fault: Fault | None = _FAULTS.get(phase)
    if method not in _TYPES or phase not in {"completed", *UNDER_WAY, *_FAULTS}:
        fault = Fault.UNSUPPORTED_VERSION
    elif fault is None and at > now + AHEAD:
        fault = Fault.IN_THE_FUTURE
    seconds = ended - began if ended is not None and began is not None else None
    state = State.UNFINISHED if phase in UNDER_WAY else None
    return row(_TYPES.get(method, Type.OPAQUE), at, fault, state=state, seconds=seconds, whole=phase == "completed")
