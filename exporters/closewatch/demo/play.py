"""Plays a scenario: injects the fault, follows it to the page, repairs it, follows that to its end, and judges."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from closewatch.alerting.preview.routing import people
from closewatch.demo import judge
from closewatch.demo.delivery import RECORDER, messages
from closewatch.demo.scenarios.scenario import Scenario
from closewatch.demo.stack import Stack

_POLL = 0.25
_PAGE_TIMEOUT = 90.0
_END_TIMEOUT = 90.0
_SETTLE = 6.0
"""Longer than Alertmanager's waiting: what else would be sent is sent by then."""


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the time line: seconds since the fault, and what happened."""

    after: float
    text: str


@dataclass(slots=True)
class TimeLine:
    """What happened so far. Each step is told once, when it is first seen."""

    say: Callable[[Step], None]
    injected: float = 0.0
    steps: list[Step] = field(default_factory=list)

    def add(self, text: str, at: float | None = None) -> None:
        """Add a step that happened now, or at a time in Unix seconds."""
        step = Step((at or time.time()) - self.injected, text)
        self.steps.append(step)
        self.say(step)


class Play:
    """One run of a scenario on a stack that is well."""

    def __init__(self, stack: Stack, scenario: Scenario, say: Callable[[Step], None]) -> None:
        self.stack = stack
        self.scenario = scenario
        self.line = TimeLine(say)
        self._repaired: float | None = None
        self._hidden: set[tuple[str, str]] = set()
        self._said: set[str] = set()

    def run(self) -> list[str]:
        """Play it to its end; gives the reasons why it was not as expected, none when it was."""
        self.line.injected = time.time()
        repair = self.scenario.inject(self.stack)
        self.line.add(f"fault: {self.scenario.title}", self.line.injected)
        if self.scenario.note:
            self.line.add(f"note: {self.scenario.note}")
        try:
            self._follow(self._paged, _PAGE_TIMEOUT)
            self._watch(_SETTLE)
        finally:
            self._repaired = time.time()
            repair()
            self.line.add("repaired", self._repaired)
        self._follow(self._over, _END_TIMEOUT)
        self._watch(_SETTLE)
        wrong = self.stack.unhealthy()
        return judge.verdict(self.scenario.expected, self.course()) + ([f"not well again: {wrong}"] if wrong else [])

    def course(self) -> judge.Course:
        """What has happened so far, for the judge."""
        deliveries = []
        for each in self.stack.sink.notifications(since=self.line.injected):
            if each.channel.startswith(RECORDER):
                by_status: dict[str, list[dict[str, str]]] = {"firing": [], "resolved": []}
                for alert in each.alerts:
                    by_status[alert["status"]].append(alert["labels"])
                told = (tuple(by_status["firing"]), tuple(by_status["resolved"]))
                deliveries.append(judge.Delivery(each.at, each.channel.removeprefix(RECORDER), *told))
        return judge.Course(self.line.injected, self._repaired, deliveries, frozenset(self._hidden))

    def _follow(self, done: Callable[[judge.Course], bool], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self._look()
            if done(self.course()):
                return
            time.sleep(_POLL)

    def _watch(self, seconds: float) -> None:
        self._follow(lambda _: False, seconds)

    def _paged(self, course: judge.Course) -> bool:
        """The page is there, and what must be hidden has fired and is hidden."""
        expected = self.scenario.expected
        return judge.arrived(expected.page, course) is not None and set(expected.hidden) <= self._hidden

    def _over(self, course: judge.Course) -> bool:
        """Whoever was told of something was told its end, and the stack is well again."""
        page = self.scenario.expected.page
        told = judge.ended(page, course) is not None or judge.arrived(page, course) is None
        return told and not judge.unended(course) and not self.stack.unhealthy()

    def _look(self) -> None:
        """See what is new: in closewatch, Prometheus, Alertmanager, and with people."""
        try:
            self._look_at_prometheus()
            for alert in self.stack.alertmanager.alerts():
                if alert["status"]["inhibitedBy"]:
                    labels = alert["labels"]
                    self._hidden.add((labels["alertname"], labels.get("tenant", "")))
                    self._once(f"Alertmanager hides {_named(labels)} behind another alert")
        except OSError:
            return  # busy for a moment; the next look sees it
        for message in messages(self.stack.sink, self.stack.mail, since=self.line.injected):
            key = f"message {message.at}"
            if key not in self._said:
                self._said.add(key)
                self.line.add(f"to {people(message.receiver)}: {message.title}\n{message.text}", message.at)

    def _look_at_prometheus(self) -> None:
        page = self.scenario.expected.page
        if self._repaired is None and self.stack.prometheus.query(self.scenario.detected):
            self._once(self.scenario.seen)
        states = {alert["state"] for alert in self.stack.prometheus.alerts() if not page.differences(alert["labels"])}
        for state in ("pending", "firing"):
            if state in states:
                self._once(f"alert {page.alertname} ({page.severity}) is {state}")
        if self._repaired is not None and not states:
            self._once(f"alert {page.alertname} ({page.severity}) is over")

    def _once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self.line.add(text)


def _named(labels: dict[str, str]) -> str:
    whose = labels.get("tenant") or labels.get("target") or labels.get("cell", "")
    return f"{labels['alertname']} ({labels.get('severity')}) of {whose}"
