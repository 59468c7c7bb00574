"""The scrape of one target, with a source that answers from memory: no server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from closewatch.core import scrape as module
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.deadline import Deadline
from closewatch.core.families import Gauge, Sample
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.scrape import Scrape
from closewatch.core.source import Outcome, Reply
from closewatch.core.targets import Target

VALUE = Gauge("closewatch_test_value", "A value.", ("name",))
OTHER = Gauge("closewatch_test_other", "Not declared by anybody.")


class Canned:
    """A source that says what the test tells it to."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.down: Unavailable | None = None
        self.asked: list[list[str]] = []

    def ask(self, collectors: Sequence[Collector], deadline: Deadline) -> Reply:
        self.asked.append([collector.name for collector in collectors])
        found = {c.name: self.outcomes[c.name] for c in collectors if c.name in self.outcomes}
        return Reply(found, self.down)

    def close(self) -> None:
        pass


def answered(*names: str) -> Outcome:
    return Outcome([Answer({"main": [{"name": name} for name in names]})], seconds=0.01)


def failed(reason: Reason) -> Outcome:
    return Outcome(failure=Unavailable(reason))


def names(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    return [VALUE(1, name=row["name"]) for row in answer.rows()]


def collector(name: str = "one", read: Callable[..., Any] = names, **more: Any) -> Collector:
    return Collector(name, {"main": "SELECT"}, read, (VALUE,), **more)


@pytest.fixture
def source() -> Canned:
    return Canned()


def scrape(source: Canned, *collectors: Collector) -> Scrape:
    return Scrape(Target.of("test", "t", environment="e"), source, collectors)


def text(samples: Iterable[Sample]) -> set[str]:
    """Samples as 'name value label=value', without prefix, kind and times."""
    lines = set()
    for sample in samples:
        if sample.family.name.endswith("_timestamp_seconds"):
            continue
        own = [f"{k}={v}" for k, v in zip(sample.family.labels, sample.labels, strict=True) if v and k != "kind"]
        lines.add(" ".join([sample.family.name.removeprefix("closewatch_"), f"{sample.value:g}", *own]))
    return lines


def run(one: Scrape) -> set[str]:
    return text(one.run(Deadline.after(1)))


def test_an_answer_becomes_samples_with_success_and_duration(source: Canned) -> None:
    source.outcomes = {"one": answered("a")}
    assert run(scrape(source, collector())) == {
        "target_up 1",
        "collector_success 1 collector=one",
        "collector_duration_seconds 0.01 collector=one",
        "test_value 1 name=a",
    }


def test_a_failing_collector_takes_no_other_with_it(source: Canned) -> None:
    source.outcomes = {"one": failed(Reason.LOCKED), "two": answered("b")}
    assert run(scrape(source, collector(), collector("two"))) == {
        "target_up 1",
        "collector_success 0 collector=one",
        "collector_failure 1 collector=one reason=locked",
        "collector_duration_seconds 0 collector=one",
        "collector_success 1 collector=two",
        "collector_duration_seconds 0.01 collector=two",
        "test_value 1 name=b",
    }


def test_a_target_that_is_down_keeps_the_series_of_its_collectors(source: Canned) -> None:
    source.down = Unavailable(Reason.REFUSED)
    assert run(scrape(source, collector())) == {
        "target_up 0",
        "target_failure 1 reason=refused",
        "collector_success 0 collector=one",
        "collector_failure 1 collector=one reason=refused",
        "collector_duration_seconds 0 collector=one",
    }


def test_what_does_not_apply_has_no_series_not_even_when_the_target_goes_down(source: Canned) -> None:
    one = scrape(source, collector())
    assert run(one) == {"target_up 1"}
    source.down = Unavailable(Reason.TIMEOUT)
    assert run(one) == {"target_up 0", "target_failure 1 reason=timeout"}


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (lambda answer, target, memory: [OTHER(1)], "invalid_answer"),
        (lambda answer, target, memory: [VALUE(1, name="x"), VALUE(2, name="x")], "invalid_answer"),
        (lambda answer, target, memory: [answer.one()["no such column"]], "invalid_answer"),
        (lambda answer, target, memory: (VALUE(1, name=str(i)) for i in range(10**6)), "invalid_answer"),
    ],
    ids=["undeclared", "twice the same labels", "missing column", "endless"],
)
def test_a_bad_answer_is_the_collectors_failure(source: Canned, read: Callable[..., Any], reason: str) -> None:
    source.outcomes = {"one": answered("a")}
    assert f"collector_failure 1 collector=one reason={reason}" in run(scrape(source, collector(read=read)))


def test_a_reader_may_say_that_a_right_is_missing(source: Canned) -> None:
    def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
        yield VALUE(1, name="half")
        raise Unavailable(Reason.PERMISSION)

    source.outcomes = {"one": answered("a")}
    found = run(scrape(source, collector(read=read)))
    assert "collector_failure 1 collector=one reason=permission" in found
    assert not any(line.startswith("test_value") for line in found)


def test_nothing_unknown_becomes_zero(source: Canned) -> None:
    source.outcomes = {"one": answered("a")}
    found = run(scrape(source, collector(read=lambda answer, target, memory: [VALUE(None, name="x")])))
    assert not any(line.startswith("test_value") for line in found)


def test_memory_is_kept_from_scrape_to_scrape(source: Canned) -> None:
    def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
        memory["count"] = memory.get("count", 0) + 1
        yield VALUE(memory["count"], name="count")

    source.outcomes = {"one": answered("a")}
    one = scrape(source, collector(read=read))
    run(one)
    assert "test_value 2 name=count" in run(one)


def test_over_budget_twice_leaves_the_batch_and_says_so(source: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    source.outcomes = {"one": failed(Reason.TIMEOUT), "two": answered("b")}
    one = scrape(source, collector(), collector("two"))
    assert "collector_failure 1 collector=one reason=timeout" in run(one)
    assert "collector_failure 1 collector=one reason=over_budget" in run(one)
    assert "collector_failure 1 collector=one reason=over_budget" in run(one)
    assert source.asked == [["one", "two"], ["one", "two"], ["two"]]
    later = time.monotonic() + module.OVER_BUDGET_PAUSE + 1
    monkeypatch.setattr(module.time, "monotonic", lambda: later)
    source.outcomes["one"] = answered("a")
    assert "collector_success 1 collector=one" in text(one.run(Deadline(later + 1)))


def test_a_time_out_of_a_target_that_is_down_is_no_ones_budget(source: Canned) -> None:
    source.outcomes, source.down = {"one": failed(Reason.TIMEOUT)}, Unavailable(Reason.TIMEOUT)
    one = scrape(source, collector())
    for _ in range(4):
        assert "collector_failure 1 collector=one reason=timeout" in run(one)


def test_the_slow_lane_asks_once_an_interval_and_shows_its_last_answer(
    source: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.outcomes = {"one": answered("a")}
    one = scrape(source, collector(every=300))
    first = run(one)
    assert {"test_value 1 name=a", "collector_interval_seconds 300 collector=one"} <= first
    source.outcomes = {"one": answered("b")}
    assert run(one) == first
    assert source.asked == [["one"], []]
    at, clock = time.monotonic(), time.time()
    monkeypatch.setattr(module.time, "monotonic", lambda: at + 301)
    monkeypatch.setattr(module.time, "time", lambda: clock + 301)
    assert "test_value 1 name=b" in text(one.run(Deadline(at + 400)))


def test_the_slow_lanes_answer_is_dropped_when_older_than_three_intervals(
    source: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.outcomes = {"one": answered("a")}
    one = scrape(source, collector(every=300))
    run(one)
    source.outcomes = {"one": failed(Reason.LOCKED)}
    at, clock = time.monotonic(), time.time()
    for age, shown in ((600, True), (899, True), (901, False)):
        monkeypatch.setattr(module.time, "monotonic", lambda age=age: at + age)
        monkeypatch.setattr(module.time, "time", lambda age=age: clock + age)
        found = text(one.run(Deadline(at + 2000)))
        assert ("test_value 1 name=a" in found) is shown
        assert "collector_success 0 collector=one" in found


def test_a_source_that_breaks_is_said(source: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "ask", lambda *_: 1 / 0)
    found = run(scrape(source, collector()))
    assert {"target_up 0", "target_failure 1 reason=error", "collector_success 0 collector=one"} <= found


def test_the_slow_lane_is_asked_again_as_soon_as_its_target_is_back(source: Canned) -> None:
    one = scrape(source, collector(every=300))
    source.down = Unavailable(Reason.REFUSED)
    assert "collector_success 0 collector=one" in run(one)
    source.down, source.outcomes = None, {"one": answered("a")}
    assert "collector_success 1 collector=one" in run(one)
