"""Missing numbers, and where they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from closewatch.books.numbering import Sequence, holes


def test_a_sequence_begins_anywhere() -> None:
    assert Sequence(1, "INV/2026/", lowest=40, highest=49, different=10).missing == 0


def test_missing_numbers_are_counted() -> None:
    assert Sequence(1, "INV/2026/", lowest=1, highest=100, different=30).missing == 70


def test_holes_are_named_by_their_ends() -> None:
    assert list(holes([1, 2, 5, 5, 6, 8])) == [(3, 4), (7, 7)]


def test_no_numbers_have_no_holes() -> None:
    assert list(holes([])) == []


def test_the_first_hole_is_told_before_the_rest_is_read() -> None:
    def numbers() -> object:
        yield from (1, 3)
        raise AssertionError("read on")

    assert next(holes(numbers())) == (2, 2)  # type: ignore[arg-type]


@given(st.sets(st.integers(1, 300), min_size=1), st.integers(0, 3))
def test_holes_and_the_count_agree(taken: set[int], twice: int) -> None:
    numbers = sorted([*taken, *sorted(taken)[:twice]])
    found = list(holes(numbers))
    inside = {number for first, last in found for number in range(first, last + 1)}
    assert inside == set(range(min(taken), max(taken) + 1)) - taken
    assert len(inside) == Sequence(1, "", min(taken), max(taken), len(taken)).missing
    assert all(first <= last for first, last in found)
