"""Work aside: who waits keeps the deadline, and stuck work isn't piled up."""

from __future__ import annotations

import threading

import pytest

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Unavailable
from closewatch.sources.aside import Aside


def test_a_result_and_an_error():
    aside = Aside("test")
    assert aside.run(lambda: 5, Deadline.after(5)) == 5
    with pytest.raises(ZeroDivisionError):
        aside.run(lambda: 1 // 0, Deadline.after(5))
    assert aside.run(lambda: None, Deadline.after(5)) is None


def test_what_is_stuck_is_left_alone_until_it_ends():
    aside, free, runs = Aside("test"), threading.Event(), []

    def stuck() -> None:
        runs.append(1)
        free.wait(60)

    for _ in range(3):
        with pytest.raises(Unavailable) as failure:
            aside.run(stuck, Deadline.after(0.2))
        assert failure.value.reason == "timeout"
    assert len(runs) == 1
    free.set()
    aside._stuck.join(10)
    assert aside.run(lambda: 7, Deadline.after(5)) == 7
