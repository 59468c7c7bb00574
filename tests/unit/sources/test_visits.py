"""Places for visits: hung databases don't starve the healthy."""

from __future__ import annotations

import threading
import time

import pytest

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources import backoff as module
from closewatch.sources.postgresql.visits import Visits


def hang(visits: Visits, visitor: str) -> None:
    with visits.enter(visitor, Deadline.after(1)) as visit:
        visit.failure = Unavailable(Reason.TIMEOUT)


def test_no_more_than_its_places_at_once() -> None:
    visits = Visits(2)
    with visits.enter("a", Deadline.after(1)), visits.enter("b", Deadline.after(1)):  # noqa: SIM117 - the third is refused
        with pytest.raises(Unavailable) as refused, visits.enter("c", Deadline.after(0.05)):
            pass
    assert refused.value.reason is Reason.BUSY
    with visits.enter("c", Deadline.after(1)):
        pass


def test_suspects_leave_a_place_to_the_healthy() -> None:
    visits = Visits(2)
    for visitor in ("a", "b", "c"):
        hang(visits, visitor)
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with visits.enter("a", Deadline.after(5)):
            inside.set()
            leave.wait(5)

    thread = threading.Thread(target=stay)
    thread.start()
    assert inside.wait(5)
    with pytest.raises(Unavailable) as refused, visits.enter("b", Deadline.after(5)):
        pass
    assert refused.value.reason is Reason.TIMEOUT, "it hears its own last reason again"
    with visits.enter("healthy", Deadline.after(0.05)):
        pass
    leave.set()
    thread.join()


def test_a_suspect_is_tried_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    visits, clock = Visits(2), [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr("closewatch.core.deadline.time.monotonic", lambda: clock[0])
    hang(visits, "a")
    hang(visits, "a")
    for pause in (4, 8, 16, 32, 60, 60):
        with pytest.raises(Unavailable), visits.enter("a", Deadline.after(1)):
            pass
        clock[0] += pause + 0.001
        hang(visits, "a")


def test_one_good_visit_clears_the_suspicion() -> None:
    visits = Visits(1)
    hang(visits, "a")
    hang(visits, "b")
    with visits.enter("a", Deadline.after(1)):
        pass
    hang(visits, "a")
    with visits.enter("a", Deadline.after(1)):
        pass


def test_another_fault_than_a_time_out_is_not_suspicious() -> None:
    visits = Visits(1)
    for _ in range(5):
        with visits.enter("a", Deadline.after(1)) as visit:
            visit.failure = Unavailable(Reason.DATABASE_MISSING)
    began = time.monotonic()
    with visits.enter("a", Deadline.after(1)):
        assert time.monotonic() - began < 1
