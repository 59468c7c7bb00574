"""A notification as Alertmanager posts it to a webhook, and what is kept of it.

Source: version 4 of the webhook's document, docs/configuration.md of Alertmanager. Kept is who was told of which alerts
and when, never a text: no annotation, no address, and of the group's key (which holds labels) a digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from closewatch.alertmanager.alerts import fingerprint, known, moment, started, written
from closewatch.core.checks import Payload
from closewatch.core.labels import clean

NAME = "notification"
VERSION = 1
MAX_BYTES = 4 * 1024 * 1024
"""Of one notification: some thousand alerts with their texts."""
MOST = 500
"""Alerts that are kept of one, critical ones first."""
_STATES = ("firing", "resolved")


class MalformedError(Exception):
    """Not a notification; the text says in our own words what is wrong."""


def read(body: bytes) -> Payload:
    """The payload of the record. Raises MalformedError."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedError("the body is not JSON") from None
    if not isinstance(document, dict) or document.get("version") != "4":
        raise MalformedError("the body is not a notification of Alertmanager, version 4")
    alerts, key, receiver = document.get("alerts"), document.get("groupKey"), document.get("receiver")
    if not isinstance(alerts, list) or not isinstance(key, str) or not isinstance(receiver, str):
        raise MalformedError("alerts, groupKey or receiver is missing")
    truncated = document.get("truncatedAlerts", 0)
    if not isinstance(truncated, int) or isinstance(truncated, bool) or not 0 <= truncated < 2**31:
        raise MalformedError("truncatedAlerts is not a number")
    found = sorted((_alert(one) for one in alerts), key=lambda one: one.get("severity") != "critical")
    return {
        "receiver": clean(receiver),
        "status": _state(document.get("status")),
        "groupKey": hashlib.sha256(key.encode("utf-8", "replace")).hexdigest(),
        "truncatedAlerts": truncated + max(0, len(found) - MOST),
        "alerts": found[:MOST],
    }


def _alert(one: Any) -> dict[str, Any]:
    try:
        ends = moment(one["endsAt"])
        return {
            "fingerprint": fingerprint(one["fingerprint"]),
            **known(one["labels"]),
            "status": _state(one["status"]),
            "startsAt": written(started(one)),
            "endsAt": None if ends is None else written(ends),
        }
    except (KeyError, TypeError, ValueError):
        raise MalformedError("an alert does not have the expected form") from None


def _state(value: Any) -> str:
    if value not in _STATES:
        raise MalformedError("a status is neither firing nor resolved")
    return str(value)


@dataclass(frozen=True, slots=True)
class Mention:
    """What the newest notification said of an alert: whether it fires, since when; and when that was recorded."""

    fires: bool
    starts: float
    recorded: float


def mentions(
    records: Sequence[tuple[float, Mapping[str, Any]]], receivers: frozenset[str] = frozenset()
) -> dict[str, Mention]:
    """The newest mention of each alert, by fingerprint. `records` are (when, payload), the newest first."""
    found: dict[str, Mention] = {}
    for recorded, payload in records:
        if receivers and payload.get("receiver") not in receivers:
            continue
        for one in payload.get("alerts", ()):
            starts = moment(one["startsAt"]) or 0.0
            found.setdefault(one["fingerprint"], Mention(one["status"] == "firing", starts, recorded))
    return found
