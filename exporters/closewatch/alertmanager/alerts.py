"""Alerts as Alertmanager gives them, by its API and in notifications: hostile until read here.

Names and places are labels, cleaned and cut; texts (annotations, comments) are never taken over.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from closewatch.core.labels import clean
from closewatch.core.reasons import Reason, Unavailable

LABELS = ("alertname", "severity", "domain", "tenant", "environment", "cell", "target")
OBSERVED = ("closewatch_mode", "observe")
AUDIENCES = frozenset({"platform", "service", "security", "executive"})
"""What each alert of closewatch's rules has one of, and what the route to the records asks for."""
SHOWN = 20
"""Alerts' names that metrics show, those that are longest so."""
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_NEVER = dt.datetime(2000, 1, 1, tzinfo=dt.UTC).timestamp()
_ALWAYS = dt.datetime(2200, 1, 1, tzinfo=dt.UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Alert:
    """A critical alert that an Alertmanager holds. `starts` in Unix seconds; `ours` where it is of a rule of ours."""

    fingerprint: str
    labels: Mapping[str, str]
    starts: float
    state: str
    silenced_by: tuple[str, ...] = ()
    ours: bool = True

    def document(self) -> dict[str, Any]:
        """What a record keeps of it."""
        return {"fingerprint": self.fingerprint, **self.labels, "startsAt": written(self.starts)}


def firing(found: Iterable[Mapping[str, Any]], now: float) -> list[Alert]:
    """The critical alerts that fire now and aren't merely tried out. Raises Unavailable(invalid_answer)."""
    alerts = []
    for one in found:
        try:
            labels, status, ends = one["labels"], one["status"], moment(one["endsAt"])
            silenced = tuple(silence_id(each) for each in status["silencedBy"])
            about, ours = known(labels), labels.get("audience") in AUDIENCES
            alert = Alert(fingerprint(one["fingerprint"]), about, started(one), str(status["state"]), silenced, ours)
        except (KeyError, TypeError, ValueError):
            raise Unavailable(Reason.INVALID_ANSWER, "not an alert as the API describes it") from None
        if (ends is None or ends > now) and labels.get(OBSERVED[0]) != OBSERVED[1]:
            alerts.append(alert)
    return alerts


def known(labels: Any) -> dict[str, str]:
    """The labels that say what it is and of whom. Raises ValueError."""
    if not isinstance(labels, dict):
        raise ValueError("labels are a mapping")  # noqa: TRY004 - one kind of error for what is malformed
    return {name: clean(labels[name]) for name in LABELS if isinstance(labels.get(name), str) and labels[name]}


def fingerprint(value: Any) -> str:
    """An alert's name among all. Raises ValueError."""
    if not isinstance(value, str) or not _FINGERPRINT.fullmatch(value):
        raise ValueError("a fingerprint is 16 hexadecimal digits")
    return value


def silence_id(value: Any) -> str:
    """A silence's identity. Raises ValueError."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Za-z-]{1,64}", value):
        raise ValueError("a silence's id is a UUID")
    return value


def started(one: Mapping[str, Any]) -> float:
    """When it began. Raises KeyError, ValueError."""
    found = moment(one["startsAt"])
    if found is None:
        raise ValueError("what fires has begun")
    return found


def moment(text: Any) -> float | None:
    """Unix seconds, to a millisecond, of an RFC 3339 time; None for Go's zero time. Raises ValueError."""
    if not isinstance(text, str) or len(text) > 40:  # noqa: PLR2004 - such as 2026-11-28T03:00:00.123456789+01:00
        raise ValueError("a time is text")
    at = dt.datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time has a zone")
    if at.year == 1:
        return None
    seconds = at.timestamp()
    if not _NEVER < seconds < _ALWAYS:
        raise ValueError("a time is within two centuries")
    return int(seconds * 1000) / 1000


def written(seconds: float) -> str:
    """A time as a record keeps it."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def since(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, float]]:
    """(alert's name, since when) of a record's rows: each name once, with its earliest, the longest first."""
    first: dict[str, float] = {}
    for row in rows:
        name, at = row.get("alertname", ""), moment(row["sinceAt"]) or 0.0
        first[name] = min(at, first.get(name, at))
    return sorted(first.items(), key=lambda one: one[1])[:SHOWN]
