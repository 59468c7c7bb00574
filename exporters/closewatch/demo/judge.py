"""Did the right person get the right page, once, and nobody anything else? Pure: from what was delivered to a verdict.

What counts, from the fault to the end. At the receiver that was expected: one page with the expected labels, sent
before the repair, and its end after the repair. At all receivers: nothing that was not expected, and whatever began has
ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PAGERS = ("closewatch-page", "closewatch-security-page")
"""The receivers that wake someone."""


@dataclass(frozen=True, slots=True)
class Told:
    """An alert that a receiver is told of. `labels` must be there as they are; an empty value: must not be there."""

    alertname: str
    severity: str
    receiver: str = PAGERS[0]
    labels: Mapping[str, str] = field(default_factory=dict)

    def fits(self, receiver: str, labels: Mapping[str, str]) -> bool:
        """Whether a delivered alert is this one."""
        return receiver == self.receiver and not self.differences(labels)

    def differences(self, labels: Mapping[str, str]) -> list[str]:
        """How a delivered alert's labels differ from what is expected."""
        wanted = {"alertname": self.alertname, "severity": self.severity, **self.labels}
        return [
            f"{name} is {labels.get(name, '')!r}, expected {value!r}"
            for name, value in wanted.items()
            if labels.get(name, "") != value
        ]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a fault must lead to: one page, other notices that belong to it, and alerts that must stay hidden."""

    page: Told
    also: tuple[Told, ...] = ()
    hidden: tuple[tuple[str, str], ...] = ()
    """(alertname, tenant) of alerts that fire, but that Alertmanager must inhibit."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification: when, to which receiver, and the alerts in it, by status."""

    at: float
    receiver: str
    firing: tuple[Mapping[str, str], ...] = ()
    resolved: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """What happened, in Unix seconds; None is "didn't happen"."""

    injected: float
    repaired: float | None
    deliveries: Sequence[Delivery]
    hidden: frozenset[tuple[str, str]] = frozenset()


def verdict(expected: Expected, course: Course) -> list[str]:
    """The reasons why it was not as expected; none when it was."""
    since = [each for each in course.deliveries if each.at >= course.injected]
    reasons = _page(expected.page, since)
    if course.repaired is None:
        return [*reasons, "the fault was not repaired"]
    reasons += _times(expected.page, since, course.repaired)
    reasons += _others(expected, since)
    reasons += [
        f"{name} of {tenant} was not hidden" for name, tenant in expected.hidden if (name, tenant) not in course.hidden
    ]
    return reasons + _unended(since)


def arrived(page: Told, course: Course) -> Delivery | None:
    """The delivery that brought the page."""
    since = (each for each in course.deliveries if each.at >= course.injected)
    return next((each for each in since if _holds(page, each.receiver, each.firing)), None)


def ended(page: Told, course: Course) -> Delivery | None:
    """The delivery that brought its end, after the repair."""
    after = course.repaired if course.repaired is not None else float("inf")
    return next((d for d in course.deliveries if d.at >= after and _holds(page, d.receiver, d.resolved)), None)


def unended(course: Course) -> list[str]:
    """What someone was told of, and not yet told the end of."""
    return _unended([each for each in course.deliveries if each.at >= course.injected])


def _page(page: Told, deliveries: Sequence[Delivery]) -> list[str]:
    if any(_holds(page, each.receiver, each.firing) for each in deliveries):
        return []
    reasons = [f"no page {page.alertname} {page.severity} came to {page.receiver}"]
    for each in deliveries:
        for labels in each.firing:
            if labels.get("alertname") == page.alertname:
                where = [] if each.receiver == page.receiver else [f"it went to {each.receiver}"]
                reasons.append(f"{page.alertname} came, but: {', '.join(where + page.differences(labels))}")
    return reasons


def _times(page: Told, deliveries: Sequence[Delivery], repaired: float) -> list[str]:
    pages = [each for each in deliveries if _holds(page, each.receiver, each.firing)]
    ends = [each for each in deliveries if _holds(page, each.receiver, each.resolved)]
    reasons = []
    if len(pages) > 1:
        reasons.append(f"the page came {len(pages)} times")
    if pages and pages[0].at > repaired:
        reasons.append("the page came only after the repair")
    if any(each.at < repaired for each in ends):
        reasons.append("the page was called resolved before the repair")
    if pages and not any(each.at >= repaired for each in ends):
        reasons.append("the page was not called resolved after the repair")
    return reasons


def _others(expected: Expected, deliveries: Sequence[Delivery]) -> list[str]:
    """What nobody expected. One line for each alert and receiver, however often it was sent."""
    allowed = (expected.page, *expected.also)
    found = [
        f"unexpected: {labels.get('alertname')} {labels.get('severity')} ({_where(labels)}) to {each.receiver}"
        for each in deliveries
        for labels in each.firing
        if not any(told.fits(each.receiver, labels) for told in allowed)
    ]
    return list(dict.fromkeys(found))


def _unended(deliveries: Sequence[Delivery]) -> list[str]:
    open_ones: dict[tuple[str, str], str] = {}
    for each in deliveries:
        for labels in each.firing:
            open_ones[each.receiver, _key(labels)] = f"{labels.get('alertname')} ({_where(labels)}) at {each.receiver}"
        for labels in each.resolved:
            open_ones.pop((each.receiver, _key(labels)), None)
    return [f"not called resolved: {each}" for each in open_ones.values()]


def _holds(told: Told, receiver: str, alerts: Sequence[Mapping[str, str]]) -> bool:
    return any(told.fits(receiver, labels) for labels in alerts)


def _where(labels: Mapping[str, str]) -> str:
    place = [f"{name}={labels[name]}" for name in ("cell", "tenant", "target") if labels.get(name)]
    return ", ".join(place) or "no target"


def _key(labels: Mapping[str, str]) -> str:
    return repr(sorted(labels.items()))
