"""The scrape of one target: which collectors to ask, what their answers mean, and what is said when there are none.

Every collector's success and duration are there in each scrape, also when the target is down. A collector that fails
gives `closewatch_collector_success 0` and a reason, and nothing else; every other one still answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from closewatch.core import meta
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.deadline import Deadline
from closewatch.core.families import Sample
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.source import Outcome, Source
from closewatch.core.targets import Target

log = structlog.get_logger(__name__)

OVER_BUDGET_TIMES = 2
OVER_BUDGET_PAUSE = 300.0
RETRY = 60.0
"""Seconds after which a collector of the slow lane that failed is asked again."""
MAX_SAMPLES = 5_000
"""More samples than this of one collector are a fault of it, not a fact about its target."""


@dataclass(slots=True)
class _State:
    """What is known of one collector on one target."""

    collector: Collector
    memory: Memory
    samples: list[Sample] = field(default_factory=list)
    failure: Unavailable | None = None
    seconds: float = 0.0
    last_success: float | None = None
    next: float = 0.0
    over_budget: int = 0
    paused_until: float = 0.0
    applies: bool = True


@dataclass(frozen=True, slots=True)
class Status:
    """The newest scrape in words: for the page, the terminal and `debug=true`.

    `failures` and `durations` are by collector; `since` tells by collector since when it fails ("" is the target).
    """

    down: Unavailable | None
    failures: tuple[tuple[str, Unavailable], ...]
    durations: tuple[tuple[str, float], ...]
    since: Mapping[str, float]
    at: float
    seconds: float


class Scrape:
    """One target's scrape. Single flight: whoever comes while it runs hears the same answer.

    `above` is the scrape of the target that this one belongs to, whose login it shares.
    """

    def __init__(
        self, target: Target, source: Source, collectors: Sequence[Collector], above: Scrape | None = None
    ) -> None:
        self.target = target
        self.source = source
        self.above = above
        self.status: Status | None = None
        self._states = [_State(collector, collector.memory()) for collector in collectors]
        self._turn = threading.Condition()
        self._running = False
        self._round = 0
        self._samples: list[Sample] = []

    def run(self, deadline: Deadline) -> list[Sample]:
        """All samples of the target, without its labels. Never raises; answers by the deadline."""
        with self._turn:
            if self._running:
                mine = self._round
                self._turn.wait_for(lambda: self._round != mine, timeout=deadline.left())
                return self._samples if self._round != mine else self._silent(Unavailable(Reason.BUSY))
            self._running = True
        try:
            samples = self._ask(deadline)
        except Exception:
            log.exception("scrape_failed", target=str(self.target))
            samples = self._silent(Unavailable(Reason.ERROR))
        with self._turn:
            self._running = False
            self._round += 1
            self._samples = samples
            self._turn.notify_all()
        return samples

    def memory(self, collector: str) -> Memory:
        """What a collector remembers of this target."""
        return next((state.memory for state in self._states if state.collector.name == collector), {})

    def failing(self, collector: str) -> Unavailable | None:
        """Why a collector's newest run failed; None where it succeeded."""
        return next((state.failure for state in self._states if state.collector.name == collector), None)

    def close(self) -> None:
        """Let go of what the source holds."""
        self.source.close()

    def _ask(self, deadline: Deadline) -> list[Sample]:
        began = time.monotonic()
        due = [state for state in self._states if self._is_due(state, began)]
        reply = self.source.ask([state.collector for state in due], deadline)
        now = time.time()
        for state in due:
            outcome = reply.outcomes.get(state.collector.name) or Outcome()
            if not outcome.answers and outcome.failure is None and state.applies:
                outcome.failure = reply.down
            self._take(state, outcome, now, down=reply.down is not None)
        self._note(reply.down, began, now)
        return [*self._about_target(reply.down), *reply.samples, *self._about_collectors(now)]

    def _is_due(self, state: _State, now: float) -> bool:
        return now >= state.paused_until and now >= state.next

    def _take(self, state: _State, outcome: Outcome, now: float, *, down: bool) -> None:
        collector = state.collector
        if not down:
            state.applies = bool(outcome.answers) or outcome.failure is not None
        state.seconds = outcome.seconds
        samples, failure = self._read(state, outcome.answers)
        state.failure = failure = outcome.failure or failure
        if failure is None:
            state.samples = samples
            state.last_success = now if outcome.answers else state.last_success
            state.next = time.monotonic() + collector.every if collector.every else 0.0
            state.over_budget = 0
            return
        if collector.every:
            # Asked again soon; at once where the target was down, which costs nobody anything.
            state.next = 0.0 if down else time.monotonic() + min(RETRY, collector.every)
        else:
            state.samples = samples
        if failure.reason is Reason.TIMEOUT and not down:
            self._count_over_budget(state)
        else:
            state.over_budget = 0

    def _count_over_budget(self, state: _State) -> None:
        state.over_budget += 1
        if state.over_budget >= OVER_BUDGET_TIMES:
            state.paused_until = time.monotonic() + OVER_BUDGET_PAUSE
            state.failure = Unavailable(Reason.OVER_BUDGET)
            state.over_budget = OVER_BUDGET_TIMES - 1  # one more time-out after the pause is enough
            log.warning("over_budget", target=str(self.target), collector=state.collector.name, pause=OVER_BUDGET_PAUSE)

    def _read(self, state: _State, answers: Iterable[Answer]) -> tuple[list[Sample], Unavailable | None]:
        try:
            return _checked(state.collector, self._samples_of(state, answers)), None
        except Unavailable as failure:
            return [], failure
        except Exception:
            log.exception("read_failed", target=str(self.target), collector=state.collector.name)
            return [], Unavailable(Reason.INVALID_ANSWER)

    def _samples_of(self, state: _State, answers: Iterable[Answer]) -> Iterable[Sample]:
        for answer in answers:
            yield from state.collector.read(answer, self.target, state.memory)

    def _note(self, down: Unavailable | None, began: float, now: float) -> None:
        failures = tuple((s.collector.name, s.failure) for s in self._states if s.failure is not None)
        durations = tuple((s.collector.name, s.seconds) for s in self._states if s.applies)
        before = self.status
        known = before.since if before else {}
        failing = [name for name, _ in failures] + ([""] if down else [])
        since = {name: known.get(name, now) for name in failing}
        self.status = Status(down, failures, durations, since, now, time.monotonic() - began)
        if before is None or _reasons(before) != _reasons(self.status):
            if down is not None:
                log.warning("target_down", target=str(self.target), reason=down.reason.value, detail=down.detail)
            elif failures:
                words = {name: str(failure) for name, failure in failures}
                log.warning("collectors_failing", target=str(self.target), failures=words)
            elif before is not None:
                log.info("target_well", target=str(self.target))

    def _about_target(self, down: Unavailable | None) -> list[Sample]:
        kind = self.target.kind
        samples = [meta.TARGET_UP(down is None, kind=kind)]
        if down is not None:
            samples.append(meta.TARGET_FAILURE(1, kind=kind, reason=down.reason.value))
        return samples

    def _about_collectors(self, now: float) -> list[Sample]:
        samples: list[Sample] = []
        for state in self._states:
            if not state.applies:
                continue
            about = {"kind": self.target.kind, "collector": state.collector.name}
            samples.append(meta.COLLECTOR_SUCCESS(state.failure is None, **about))
            samples.append(meta.COLLECTOR_DURATION(state.seconds, **about))
            samples.append(meta.COLLECTOR_LAST_SUCCESS(state.last_success, **about))
            if state.failure is not None:
                samples.append(meta.COLLECTOR_FAILURE(1, reason=state.failure.reason.value, **about))
            if state.collector.every:
                samples.append(meta.COLLECTOR_INTERVAL(state.collector.every, **about))
                if state.last_success is None or now - state.last_success > 3 * state.collector.every:
                    state.samples = []
            samples += state.samples
        return samples

    def _silent(self, down: Unavailable) -> list[Sample]:
        """What is said when the target could not even be asked."""
        samples = self._about_target(down)
        for state in self._states:
            about = {"kind": self.target.kind, "collector": state.collector.name}
            samples.append(meta.COLLECTOR_SUCCESS(False, **about))
            samples.append(meta.COLLECTOR_DURATION(0.0, **about))
            samples.append(meta.COLLECTOR_FAILURE(1, reason=down.reason.value, **about))
        return samples


def _checked(collector: Collector, samples: Iterable[Sample]) -> list[Sample]:
    """The samples that have a value; raises for what Prometheus would refuse, or the collector did not declare."""
    found: dict[tuple[str, tuple[str, ...]], Sample] = {}
    for sample in samples:
        if sample.family not in collector.families:
            raise LookupError(f"{sample.family.name} is not declared by the collector")
        if sample.value is not None and found.setdefault((sample.family.name, sample.labels), sample) is not sample:
            raise ValueError(f"{sample.family.name}: two samples with the same labels")
        if len(found) > MAX_SAMPLES:
            raise ValueError(f"more than {MAX_SAMPLES} samples")
    return list(found.values())


def _reasons(status: Status) -> tuple[object, ...]:
    down = status.down.reason if status.down else None
    return (down, tuple((name, failure.reason) for name, failure in status.failures))
