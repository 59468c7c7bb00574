"""The scheduled check `silences`: which silences there are, and which critical alerts they hide since when.

    closewatch_alertmanager_silences{state="active"} 2
    closewatch_alertmanager_critical_silenced_since_timestamp_seconds{alert="PostgresqlDown"} 1.7642e+09

It fails (`critical_silenced`) where a critical alert that fires has been hidden for longer than the limit. A silence
that ends and is made anew hides without a break: the time is kept from record to record.

The payload holds what silences match and a digest of who made them, never the comment. Cost: two answers each time.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from closewatch.alertmanager.alerts import Alert, firing, moment, silence_id, since, written
from closewatch.core.checks import Payload, Result, Task, Verdict
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.records import Record
from closewatch.core.targets import Target
from closewatch.sources.alertmanager import Alertmanager

NAME = "silences"
REASON = "critical_silenced"
HISTORY = 12
GAP = 3
"""Intervals without a look, after which an earlier one says nothing of the time in between."""
MOST = 200
LONGEST = 300
"""Characters that are kept of what a silence matches."""

COUNT = Gauge(
    "closewatch_alertmanager_silences", "Silences by state (active, pending), as the newest check saw them.", ("state",)
)
SINCE = Gauge(
    "closewatch_alertmanager_critical_silenced_since_timestamp_seconds",
    "Since when a critical alert that fires has been silenced, by its name: the earliest; the 20 longest.",
    ("alert",),
)


class Silences:
    """One Alertmanager, looked at for silences. `limit` and `every` in seconds."""

    def __init__(self, server: Alertmanager, limit: float, every: float) -> None:
        self._server = server
        self._limit = limit
        self._every = every

    def run(self, task: Task) -> Verdict:
        """Ask for both, join, compare with the limit."""
        task.need()
        task.progress("ask", None)
        found, alerts = self._server.silences(task.deadline), self._server.critical(task.deadline)
        now = time.time()
        silences = read_silences(found)
        before = carried(task.history, now - GAP * self._every)
        hidden = hide(firing(alerts, now), silences, before, now)
        longest = max((now - (moment(one["sinceAt"]) or now) for one in hidden), default=0.0)
        payload = document(silences, hidden)
        if longest > self._limit:
            return Verdict(Result.FAILED, payload, REASON)
        return Verdict(Result.PASSED, payload)


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence that is active or will be. Times in Unix seconds."""

    id: str
    state: str
    starts: float
    ends: float
    matchers: str
    creator: str
    comment_length: int

    def document(self) -> dict[str, Any]:
        """What a record keeps of it."""
        return {
            "id": self.id,
            "state": self.state,
            "startsAt": written(self.starts),
            "endsAt": written(self.ends),
            "matchers": self.matchers,
            "createdBy": self.creator,
            "comment_length": self.comment_length,
        }


def read_silences(found: Iterable[Mapping[str, Any]]) -> list[Silence]:
    """Those that are not over. Raises Unavailable(invalid_answer)."""
    silences = []
    for one in found:
        try:
            state = one["status"]["state"]
            if state not in {"active", "pending"}:
                continue
            starts, ends = moment(one["startsAt"]), moment(one["endsAt"])
            if starts is None or ends is None:
                raise ValueError  # noqa: TRY301 - like all else that is missing
            creator = hashlib.sha256(str(one["createdBy"]).encode("utf-8", "replace")).hexdigest()
            comment, matchers = len(str(one["comment"])), _matchers(one["matchers"])
            silences.append(Silence(silence_id(one["id"]), state, starts, ends, matchers, creator, comment))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Unavailable(Reason.INVALID_ANSWER, "not a silence as the API describes it") from None
    return silences


def _matchers(found: Sequence[Mapping[str, Any]]) -> str:
    """As people write them, cut to what a record keeps."""
    parts = []
    for one in found[:50]:
        sign = {(True, False): "=", (True, True): "=~", (False, False): "!=", (False, True): "!~"}[
            bool(one.get("isEqual", True)), bool(one["isRegex"])
        ]
        parts.append(f"{one['name']!s}{sign}{json.dumps(str(one['value']))}")
    return ", ".join(parts).encode("utf-8", "replace").decode()[:LONGEST]


def carried(history: Sequence[Record], after: float) -> Mapping[str, float]:
    """Since when the newest look of recent times found each alert silenced; a look that could not ask tells nothing."""
    for record in history:
        if "hidden" in record.payload:
            if record.end < after:
                return {}
            return {one["fingerprint"]: moment(one["sinceAt"]) or 0.0 for one in record.payload["hidden"]}
    return {}


def hide(
    alerts: Iterable[Alert], silences: Iterable[Silence], before: Mapping[str, float], now: float
) -> list[dict[str, Any]]:
    """The alerts that are silenced, each since when, the longest first.

    Since its silence began, or an earlier one that this one follows; but not before the alert itself began.
    """
    begun = {one.id: one.starts for one in silences}
    hidden = []
    for alert in alerts:
        if alert.silenced_by:
            first = min((begun[one] for one in alert.silenced_by if one in begun), default=now)
            at = max(alert.starts, min(first, before.get(alert.fingerprint, first)))
            hidden.append({**alert.document(), "sinceAt": written(at), "silences": list(alert.silenced_by)[:10]})
    return sorted(hidden, key=lambda one: str(one["sinceAt"]))


def document(silences: Sequence[Silence], hidden: Sequence[Mapping[str, Any]]) -> Payload:
    """The payload: the newest silences, and what is hidden longest."""
    newest = sorted(silences, key=lambda one: -one.starts)
    return {
        "silences": [one.document() for one in newest[:MOST]],
        "totals": {state: sum(one.state == state for one in silences) for state in ("active", "pending")},
        "hidden": list(hidden)[:MOST],
        "hidden_total": len(hidden),
    }


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The newest record's payload; empty while Alertmanager could not be asked."""
    payload: Mapping[str, Any] = answer.one("newest").get("payload") or {}
    for state, count in payload.get("totals", {}).items():
        yield COUNT(count, state=state)
    for name, at in since(payload.get("hidden", ())):
        yield SINCE(at, alert=name)


SILENCES = Collector("silences", {}, read, (COUNT, SINCE), recorded=NAME)
