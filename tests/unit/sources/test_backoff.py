"""What hangs is asked less often, what answers at once is asked again."""

from __future__ import annotations

import pytest

from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources import backoff as module
from closewatch.sources.backoff import Backoff

HUNG = Unavailable(Reason.TIMEOUT)


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_one_time_out_changes_nothing_and_each_further_one_doubles_the_pause(clock):
    one = Backoff(30.0)
    one.note(HUNG)
    assert one.failure is None
    assert one.last is HUNG
    for pause in (4, 8, 16, 30, 30):
        one.note(HUNG)
        clock[0] += pause - 0.1
        assert one.failure is HUNG
        clock[0] += 0.1
        assert one.failure is None


@pytest.mark.parametrize("outcome", [None, Unavailable(Reason.REFUSED)])
def test_an_outcome_in_time_ends_the_count(clock, outcome):
    one = Backoff()
    for _ in range(3):
        one.note(HUNG)
    one.note(outcome)
    assert (one.failure, one.last) == (None, None)
    one.note(HUNG)
    assert one.failure is None
