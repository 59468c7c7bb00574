"""Segments of WAL: their names, holes, timelines, and the window they give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closewatch.backups import wal

T = 1_800_000_000.0


def made(numbers, timeline: int = 1, histories=None) -> wal.Archive:
    names = [(wal.name(wal.Segment(timeline, n)), T + n) for n in numbers]
    return wal.archive(names, histories)


def base(first: int, last: int | None = None, timeline: int = 1) -> wal.Base:
    last = first if last is None else last
    return wal.Base(wal.Segment(timeline, first), wal.Segment(timeline, last), T + last + 0.5)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("000000010000000000000003", (1, 3)),
        ("0000000A0000000100000002.gz", (10, 258)),
        ("000000010000000000000003.partial", None),
        ("000000010000000000000003.00000028.backup", None),
        ("00000001.history", None),
        ("000000010000000000000100", None),
        ("000000000000000000000003", None),
        ("000000010000000000000003-" + "a" * 40 + ".zst", (1, 3)),
    ],
)
def test_names(name: str, found):
    assert wal.segment(name) == found


@given(st.integers(1, 2**32 - 1), st.integers(0, 2**30), st.sampled_from([1, 16, 64, 1024]))
def test_a_name_is_read_as_it_was_written(timeline: int, number: int, mib: int):
    of = wal.Segment(timeline, number % 2**20)
    assert wal.segment(wal.name(of, mib << 20), mib << 20) == of


def test_a_window_without_a_hole():
    assert made(range(1, 10)).window([base(3), base(6)]) == (T + 3.5, T + 9, 0)


def test_a_hole_between_two_backups_shortens_the_window():
    assert made([1, 2, 3, 5, 6, 7]).window([base(2), base(6)]) == (T + 6.5, T + 7, 1)


def test_a_hole_after_the_newest_ends_the_window():
    assert made([1, 2, 3, 4, 8, 9]).window([base(2)]) == (T + 2.5, T + 4, 3)


def test_a_backup_whose_own_wal_is_missing_gives_no_window():
    assert made([5, 6]).window([base(2, 3)]) == (None, None, 3)
    assert made([]).window([base(2, 3)]) == (None, None, 2)
    assert made([1]).window([]) == (None, None, 0)


def test_a_new_timeline_goes_on():
    names = [(wal.name(wal.Segment(1, n)), T + n) for n in (1, 2, 3)]
    names += [(wal.name(wal.Segment(2, n)), T + n) for n in (3, 4, 5)]
    history = {2: "1\t0/3000148\tno recovery target specified\n"}
    assert wal.archive(names, history).window([base(1)]) == (T + 1.5, T + 5, 0)
    # Without its history nothing leads to the new timeline.
    assert wal.archive(names).window([base(1)]) == (T + 1.5, T + 3, 0)
    # A backup of after the fork can't go over to it.
    names += [(wal.name(wal.Segment(1, n)), T + n) for n in (4, 5)]
    assert wal.archive(names, history).window([base(4)]) == (T + 4.5, T + 5, 0)


@given(st.sets(st.integers(0, 300), max_size=60), st.lists(st.integers(0, 300), min_size=1, max_size=5))
def test_the_window_is_what_counting_by_hand_says(there: set[int], starts: list[int]):
    found = made(there).window([base(n) for n in starts])
    reach = {}
    for start in starts:
        last = start
        while last in there:
            last += 1
        if last > start:
            reach[start] = last - 1
    oldest = min(starts)
    end = max([oldest, *(n for n in there if n >= oldest)])
    assert found.missing == sum(n not in there for n in range(oldest, end + 1))
    if not reach:
        assert found.since is None
    else:
        furthest = max(reach.values())
        since = min(T + s + 0.5 for s in reach if reach[s] == furthest)
        assert found == (since, max(since, T + furthest), found.missing)


@given(st.text(max_size=200))
def test_no_text_breaks_a_history(text: str):
    wal.history(text)
    wal.segment(text)
