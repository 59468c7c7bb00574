"""Velero's Backup objects, and whether its storage can be reached: from the Kubernetes API, not from its metrics.

A hook that failed is a database that was not frozen: such a backup is not good, though Velero calls it Completed. What
is in a location that is unavailable can't be restored: that is the repository's state. Rights: `list` on
backups.velero.io and backupstoragelocations.velero.io in its namespace.
Source: the types in Velero's pkg/apis/velero/v1; releases without `hookStatus` say nothing of hooks.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from closewatch.backups.found import Fault, Type
from closewatch.backups.judge import AHEAD, State
from closewatch.backups.reading import count, mapping, time_of, understood
from closewatch.backups.rows import Tables, place, row
from closewatch.core.deadline import Deadline
from closewatch.sources.kubernetes.api import Kubernetes

GROUP, VERSION = "velero.io", "v1"
SCHEDULE = "velero.io/schedule-name"
UNDER_WAY = {
    "", "New", "Queued", "ReadyToStart", "InProgress", "WaitingForPluginOperations",
    "WaitingForPluginOperationsPartiallyFailed", "Finalizing", "FinalizingPartiallyFailed",
}  # fmt: skip
_FAULTS = {"PartiallyFailed": Fault.PARTIAL, "Failed": Fault.FAILED, "FailedValidation": Fault.FAILED}


class Velero:
    """The backups of one schedule, or of all, in a namespace."""

    def __init__(self, api: Kubernetes, namespace: str, schedule: str | None) -> None:
        self._api = api
        self._namespace = namespace
        self._labels = f"{SCHEDULE}={schedule}" if schedule else ""

    def look(self, deadline: Deadline) -> Tables:
        """The tables `main` and `place`. Raises Unavailable."""
        backups = self._api.objects(deadline, GROUP, VERSION, "backups", self._namespace, self._labels)
        locations = self._api.objects(deadline, GROUP, VERSION, "backupstoragelocations", self._namespace)
        return tables(backups, locations, time.time())


def tables(backups: Sequence[Any], locations: Sequence[Any], now: float) -> Tables:
    """The rows of the objects."""
    rows = understood("a Backup", lambda: [_row(one, now) for one in backups if not _deleting(one)])
    used = understood("a Backup", lambda: {str(mapping(one.get("spec")).get("storageLocation")) for one in backups})
    phases = understood(
        "a BackupStorageLocation",
        lambda: [mapping(one.get("status")).get("phase") for one in locations if one["metadata"]["name"] in used],
    )
    status = None
    if phases:
        status = "ok" if all(phase == "Available" for phase in phases) else "unavailable"
    return {"main": rows, "place": [place(rows, status=status)]}


def _deleting(one: Mapping[str, Any]) -> bool:
    return mapping(one.get("status")).get("phase") == "Deleting"


def _row(one: Mapping[str, Any], now: float) -> Mapping[str, Any]:
    status = mapping(one.get("status"))
    phase = str(status.get("phase") or "")
    began = time_of(status.get("startTimestamp")) or time_of(one["metadata"]["creationTimestamp"])
    ended = time_of(status.get("completionTimestamp"))
    at = ended or began
    if at is None or began is None:
        raise ValueError
    state = State.UNFINISHED if phase in UNDER_WAY else None
    fault = _fault(status, phase, at, now)
    items = mapping(status.get("progress"))
    whole = count(items.get("itemsBackedUp")) == count(items.get("totalItems")) if items else None
    return row(Type.RESOURCES, at, fault, state=state, seconds=ended - began if ended else None, whole=whole)


def _fault(status: Mapping[str, Any], phase: str, at: float, now: float) -> Fault | None:
    expires = time_of(status.get("expiration"))
    if phase in _FAULTS:
        return _FAULTS[phase]
    if phase not in {"Completed", *UNDER_WAY}:
        return Fault.UNSUPPORTED_VERSION
    if count(mapping(status.get("hookStatus")).get("hooksFailed")):
        return Fault.HOOK_FAILED
    if count(status.get("errors")):
        return Fault.PARTIAL
    if expires is not None and expires < now:
        return Fault.EXPIRED
    return Fault.IN_THE_FUTURE if at > now + AHEAD else None
