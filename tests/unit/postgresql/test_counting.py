"""Counters that don't jump."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from closewatch.postgresql.counting import total
from tests.unit.postgresql.reading import answer

A, B = answer(member="10.0.0.1:5432"), answer(member="10.0.0.2:5432")


def counted(*steps):
    memory = {}
    return [total(memory, who, "deadlocks", said) for who, said in steps]


def test_it_starts_at_what_the_server_says_and_grows_with_it():
    assert counted((A, 5), (A, 5), (A, 8)) == [5, 5, 8]


def test_a_fall_adds_nothing():
    assert counted((A, 9), (A, 2), (A, 3)) == [9, 9, 10]


def test_another_server_adds_nothing():
    assert counted((A, 9), (B, 5000), (B, 5001), (A, 9), (A, 10)) == [9, 9, 10, 10, 11]


def test_what_is_unknown_stays_so_and_changes_nothing():
    assert counted((A, 9), (A, None), (A, 10)) == [9, None, 10]


def test_counters_are_apart():
    memory = {}
    assert total(memory, A, "commits", 7) == 7
    assert total(memory, A, "rollbacks", 1) == 1


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.integers(0, 1_000_000)), min_size=1))
def test_it_never_falls(steps):
    values = counted(*steps)
    assert values == sorted(values)
