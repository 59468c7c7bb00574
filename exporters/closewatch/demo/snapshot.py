"""What is to be seen of the stack now: targets, what is wrong, alerts, and what people were told."""

from __future__ import annotations

import time
from dataclasses import dataclass

from closewatch.demo.delivery import Message, messages
from closewatch.demo.stack import Stack


@dataclass(frozen=True, slots=True)
class TargetState:
    """A target. `state` is up, down or unseen; `wrong` says what is the matter, in closewatch's words."""

    name: str
    kind: str
    cell: str
    tenant: str
    state: str
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlertState:
    """An alert. `state` is pending, firing or hidden (it fires, and Alertmanager inhibits it)."""

    name: str
    severity: str
    state: str
    where: str
    summary: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of it at one time; `trouble` says when Prometheus or Alertmanager can't be asked."""

    at: float
    targets: tuple[TargetState, ...] = ()
    alerts: tuple[AlertState, ...] = ()
    told: tuple[Message, ...] = ()
    trouble: str = ""


def take(stack: Stack) -> Snapshot:
    """Ask for it."""
    told = tuple(messages(stack.sink, stack.mail))
    try:
        return Snapshot(time.time(), _targets(stack), _alerts(stack), told)
    except (OSError, ValueError) as error:
        return Snapshot(time.time(), told=told, trouble=f"Prometheus or Alertmanager can't be asked: {error}")


def _targets(stack: Stack) -> tuple[TargetState, ...]:
    known = stack.prometheus.query("last_over_time(closewatch_target_up[1h])")
    up = {_key(labels): value for labels, value in stack.prometheus.query("closewatch_target_up")}
    wrong: dict[tuple[str, str], list[str]] = {}
    for labels, _ in stack.prometheus.query("closewatch_target_failure == 1"):
        wrong.setdefault(_key(labels), []).append(labels["reason"])
    # Of a target that is down, each collector would only say the same again.
    failing = "closewatch_collector_failure == 1 and on (kind, target) closewatch_target_up == 1"
    for labels, _ in stack.prometheus.query(failing):
        wrong.setdefault(_key(labels), []).append(f"{labels['collector']}: {labels['reason']}")
    states = {1.0: "up", 0.0: "down", None: "unseen"}
    return tuple(
        TargetState(
            labels["target"],
            labels["kind"],
            labels.get("cell", ""),
            labels.get("tenant", ""),
            states[up.get(_key(labels))],
            tuple(sorted(wrong.get(_key(labels), ()))),
        )
        for labels, _ in sorted(
            known, key=lambda series: (series[0].get("cell", ""), series[0]["kind"] != "postgresql")
        )
    )


def _alerts(stack: Stack) -> tuple[AlertState, ...]:
    hidden = {_labels(alert["labels"]) for alert in stack.alertmanager.alerts() if alert["status"]["inhibitedBy"]}
    found = []
    for alert in stack.prometheus.alerts():
        labels = alert["labels"]
        state = "hidden" if alert["state"] == "firing" and _labels(labels) in hidden else alert["state"]
        where = labels.get("tenant") or labels.get("target") or labels.get("cell", "")
        summary = alert.get("annotations", {}).get("summary", "")
        found.append(AlertState(labels["alertname"], labels.get("severity", ""), state, where, summary))
    order = {"firing": 0, "hidden": 1, "pending": 2}
    return tuple(sorted(found, key=lambda alert: (order.get(alert.state, 3), alert.severity, alert.name, alert.where)))


def _key(labels: dict[str, str]) -> tuple[str, str]:
    return labels["kind"], labels["target"]


def _labels(labels: dict[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())
