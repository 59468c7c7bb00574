"""Deadlines."""

from __future__ import annotations

import pytest

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Unavailable


def test_what_is_left_is_never_negative() -> None:
    assert Deadline.after(-1).left() == 0
    assert 0 < Deadline.after(5).left() <= 5


def test_who_needs_time_hears_when_there_is_none() -> None:
    with pytest.raises(Unavailable, match="timeout"):
        Deadline.after(0).need()


def test_the_sooner_of_two() -> None:
    assert Deadline.after(1).sooner(60).left() <= 1
    assert Deadline.after(60).sooner(1).left() <= 1
