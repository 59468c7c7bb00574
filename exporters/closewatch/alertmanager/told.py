"""The scheduled check `told`: was each critical alert that fires in a notification?

    closewatch_alertmanager_critical_untold_since_timestamp_seconds{alert="PostgresqlDown"} 1.7642e+09

It fails (`critical_untold`) where an alert has been due to be told for longer than is allowed, and no recorded
notification tells of it: it is neither silenced nor inhibited, and not merely tried out. It is due since it began, or
since an earlier look found it hidden still. What was told once counts for as long as the alert fires, silenced or not,
however many notifications come after it: each record carries that on.

Alerts of other people's rules are left out: their notifications need not come here.

Not seen is who read it: a notification that Alertmanager sent is told. Cost: one answer each time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from closewatch.alertmanager.alerts import Alert, firing, moment, since, written
from closewatch.alertmanager.notification import NAME as NOTIFICATION
from closewatch.alertmanager.notification import Mention, mentions
from closewatch.core.checks import Result, Task, Verdict
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.records import Record
from closewatch.core.targets import Target
from closewatch.sources.alertmanager import Alertmanager

NAME = "told"
REASON = "critical_untold"
SUPPRESSED = "suppressed"
HISTORY = 12
NOTIFICATIONS = 5_000
"""Records of notifications that are looked through: those between two looks, with some for each of 1,000 tenants."""
GAP = 3
MOST = 500
MOST_TOLD = 5_000
"""What is not carried on is untold at the next look: so all, in few bytes each."""

SINCE = Gauge(
    "closewatch_alertmanager_critical_untold_since_timestamp_seconds",
    "Since when a critical alert that fires should have been in a notification and was in none, by its name: the "
    "earliest; the 20 longest.",
    ("alert",),
)


@dataclass(frozen=True, slots=True)
class Before:
    """What the newest look of recent times knew: who was told (fingerprint to beginning), and who was due since when.

    `at` is when it looked; None where there was none.
    """

    told: Mapping[str, float]
    due: Mapping[str, float]
    at: float | None = None


class Told:
    """One Alertmanager, whose alerts are compared with its notifications. `within` and `every` in seconds."""

    def __init__(self, server: Alertmanager, within: float, every: float, receivers: frozenset[str]) -> None:
        self._server = server
        self._within = within
        self._every = every
        self._receivers = receivers

    def run(self, task: Task) -> Verdict:
        """Ask what fires, look through what was sent."""
        task.need()
        task.progress("ask", None)
        found = self._server.critical(task.deadline)
        now = time.time()
        alerts = [one for one in firing(found, now) if one.ours]
        sent = [(one.end, one.payload) for one in task.others.get(NOTIFICATION, ())]
        before = known(task.history, now - GAP * self._every)
        told, due = judge(alerts, mentions(sent, self._receivers), before, self._within)
        late = [one for one in due if now - (moment(one["sinceAt"]) or now) > self._within]
        payload = {
            "firing": sum(one.state != SUPPRESSED for one in alerts),
            "told": [{"fingerprint": one.fingerprint, "startsAt": written(one.starts)} for one in told[:MOST_TOLD]],
            "due": due[:MOST],
            "untold": late[:MOST],
            "untold_total": len(late),
            "notifications": len(sent),
        }
        return Verdict(Result.FAILED, payload, REASON) if late else Verdict(Result.PASSED, payload)


def known(history: Sequence[Record], after: float) -> Before:
    """What earlier looks knew. Who was told stays told; when something became due can't be said after a long gap."""
    for record in history:
        payload = record.payload
        if "told" in payload:
            told = {one["fingerprint"]: moment(one["startsAt"]) or 0.0 for one in payload["told"]}
            if record.end < after:
                return Before(told, {})
            due = {one["fingerprint"]: moment(one["sinceAt"]) or 0.0 for one in payload["due"]}
            return Before(told, due, record.end)
    return Before({}, {})


def judge(
    alerts: Iterable[Alert], sent: Mapping[str, Mention], before: Before, within: float
) -> tuple[list[Alert], list[dict[str, Any]]]:
    """Who was told, and the alerts that are due, each since when, the longest first.

    What is silenced or inhibited is not due, but stays told: Alertmanager does not tell it again when it comes out.
    """
    told, due = [], []
    for alert in alerts:
        if _is_told(alert, sent.get(alert.fingerprint), within) or (
            before.told.get(alert.fingerprint, 0.0) >= alert.starts
        ):
            told.append(alert)
            continue
        if alert.state == SUPPRESSED:
            continue
        # Not among those that were due at the last look: it was silenced or inhibited then, or not there.
        at = max(alert.starts, before.due.get(alert.fingerprint, before.at or 0.0))
        due.append({**alert.document(), "sinceAt": written(at)})
    return told, sorted(due, key=lambda one: str(one["sinceAt"]))


def _is_told(alert: Alert, mention: Mention | None, within: float) -> bool:
    """Whether the last word on it is that it fires, said of this time or shortly before: it may have been away briefly.

    Alertmanager takes the earlier beginning of two: what was told may have begun later than what it holds now.
    """
    if mention is None or not mention.fires:
        return False
    return mention.starts >= alert.starts or mention.recorded >= alert.starts - within


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The newest record's payload; empty while Alertmanager could not be asked."""
    payload: Mapping[str, Any] = answer.one("newest").get("payload") or {}
    for name, at in since(payload.get("untold", ())):
        yield SINCE(at, alert=name)


TOLD = Collector("told", {}, read, (SINCE,), recorded=NAME)
