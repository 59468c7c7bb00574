"""The WAL in a repository of pgBackRest and the window that it gives. The real program is in tests/server/backups."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closewatch.backups import wal
from closewatch.backups.pgbackrest import tables
from closewatch.backups.pgbackrest_wal import Listed
from closewatch.core.reasons import Unavailable
from tests.unit.backups.test_pgbackrest import backup, stanza

NOW = 1_800_000_000.0
T = 1_799_000_000
MIB = 1 << 20


def segment(number: int, timeline: int = 1, size: int = 16 * MIB) -> str:
    return wal.name(wal.Segment(timeline, number), size)


def made(first: int, last: int | None = None, *, size: int = 16 * MIB, timeline: int = 1, **more: Any) -> Any:
    """A backup that needs these segments, and ended when the last of them did."""
    last = first if last is None else last
    where = {"start": f"0/{first * size + 40:X}", "stop": f"0/{last * size + 300:X}"}
    needed = {"start": segment(first, timeline, size), "stop": segment(last, timeline, size)}
    return backup(archive=needed, lsn=where, timestamp={"start": T + first, "stop": T + last}, **more)


def archived(low: int, high: int, *, number: int = 1, size: int = 16 * MIB) -> dict[str, Any]:
    about = {"id": number, "repo-key": 1}
    ends = {"min": segment(low, size=size), "max": segment(high, size=size)}
    return {"id": f"{14 + number}-{number}", "database": about, **ends}


def listed(*numbers: int, whole: bool = True, size: int = 16 * MIB, timeline: int = 1, **histories: str) -> Listed:
    names = {f"{segment(n, timeline, size)}-{'a' * 40}.zst": float(T + n) for n in numbers}
    return Listed(names, whole, {int(name[1:]): text for name, text in histories.items()})


def span(there: Listed | None, *backups: Any, parts: Any = None, **more: Any) -> tuple[Any, Any, Any]:
    """Since, until (both less T) and missing."""
    parts = [archived(1, 20)] if parts is None else parts
    (found,) = tables([stanza(*backups, archive=parts, **more)], "main", 1, NOW, there)["place"]
    since, until = (None if found[name] is None else found[name] - T for name in ("since", "until"))
    return since, until, found["missing"]


def test_each_segment_is_there():
    assert span(listed(*range(1, 21)), made(3), made(8, 9, type="incr")) == (3, 20, 0)


def test_a_hole_between_two_backups_and_one_after_the_newest():
    there = [n for n in range(1, 21) if n != 5]
    assert span(listed(*there), made(3), made(8)) == (8, 20, 1)
    assert span(listed(*(n for n in range(1, 21) if n not in {12, 13})), made(3), made(8)) == (3, 11, 2)


def test_a_backup_without_the_wal_of_its_making():
    assert span(listed(*range(9, 21)), made(8, 9)) == (None, None, 1)


def test_what_retention_leaves_of_an_older_backup_is_no_loss():
    # repo-retention-archive=1: the two older ones keep what makes them consistent.
    there = [3, 6, 7, *range(10, 21)]
    assert span(listed(*there), made(3), made(6, 7), made(10)) == (10, 20, 0)
    # A segment of what is between them shows that it was not retention.
    assert span(listed(*there, 8), made(3), made(6, 7), made(10)) == (10, 20, 1)
    # Where the next one's own WAL is missing too, the older one is what there is.
    assert span(listed(3), made(3), made(10)) == (3, 3, 0)
    # The newest has nothing after it yet.
    assert span(listed(3, 10), made(3), made(10)) == (10, 10, 0)


def test_where_not_all_is_listed_nothing_is_said_of_holes():
    assert span(listed(17, 20, whole=False), made(3), made(8)) == (3, 20, None)


def test_where_nothing_is_listed_the_end_is_not_known():
    """The end of the newest backup would look like an archive that stands still since last night."""
    assert span(None, made(3), made(8)) == (3, None, None)
    assert span(None, made(3), made(8), parts=[archived(5, 20)]) == (8, None, None)
    assert span(None, made(3), parts=[]) == (None, None, None)
    assert span(None, made(3), parts=[{**archived(5, 20), "min": None, "max": None}]) == (None, None, None)


def test_the_size_of_a_segment_is_seen_from_the_positions():
    for size in (MIB, 64 * MIB, 1024 * MIB):
        there = listed(1, 2, 3, size=size)
        assert span(there, made(1, size=size), parts=[archived(1, 3, size=size)]) == (1, 3, 0)
    # 64 MiB: 0x3F is followed by the next log's first.
    size = 64 * MIB
    there, parts = listed(*range(60, 70), size=size), [archived(60, 69, size=size)]
    assert span(there, made(61, size=size), parts=parts) == (61, 69, 0)
    # Positions that don't fit what is named, or none: not known, and so nothing is said of holes.
    wrong = made(3) | {"lsn": {"start": "1/FF000028", "stop": "1/FF000100"}}
    assert span(listed(3, 5, 20), wrong) == (3, 20, None)
    without = made(3)
    del without["lsn"]
    assert span(listed(3, 5, 20), without) == (3, 20, None)


def test_a_record_that_ends_with_its_segment():
    size = 16 * MIB
    one = made(3) | {"lsn": {"start": f"0/{3 * size + 40:X}", "stop": f"0/{4 * size:X}"}}
    assert span(listed(*range(3, 9)), one) == (3, 8, 0)


def test_after_an_upgrade_the_newest_cluster_counts():
    """Its WAL begins at the same numbers: those of the old one are not what a new backup needs."""
    parts = [archived(1, 20, number=1), archived(1, 9, number=2)]
    old, new = made(3), made(5, database={"id": 2, "repo-key": 1})
    assert span(listed(*range(1, 10)), old, new, parts=parts) == (5, 9, 0)
    assert span(None, old, new, parts=parts) == (5, None, None)
    # Before its first backup, none of its moments can be restored.
    assert span(listed(*range(1, 10)), old, parts=parts) == (None, None, None)


def test_a_new_timeline_goes_on_by_its_history():
    names = {f"{segment(n, 2)}-{'b' * 40}.gz": float(T + n) for n in range(6, 12)}
    there = listed(*range(1, 7), t2=f"1\t0/{6 * 16 * MIB + 99:X}\tno recovery target specified\n")
    assert span(Listed({**there.names, **names}, True, there.histories), made(3)) == (3, 11, 0)


def test_what_is_bad_gives_no_window():
    assert span(listed(*range(1, 21)), made(3, error=True), made(8)) == (8, 20, 0)
    assert span(listed(*range(1, 21)), made(3, error=True)) == (None, None, None)


@pytest.mark.parametrize("parts", [[5], [{"id": "15-1", "min": "x", "max": "y"}], "x"], ids=str)
def test_another_form_is_said(parts: Any):
    with pytest.raises(Unavailable):
        span(None, made(3), parts=parts)


@given(st.sets(st.integers(1, 60)), st.lists(st.integers(1, 60), min_size=1, max_size=6, unique=True))
def test_retention_never_hides_a_hole_after_the_first_that_is_rolled_forward(there: set[int], starts: list[int]):
    """Whatever is missing, the window never reaches over a hole."""
    since, until, missing = span(listed(*there), *(made(n) for n in starts))
    if since is None:
        assert not there & set(starts)
    else:
        assert all(n in there for n in range(int(since), int(until) + 1))
        assert int(until) + 1 not in there
    assert missing >= 0
