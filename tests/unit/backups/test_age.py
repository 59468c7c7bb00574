"""The collector `age`: what a row a backup says together."""

from __future__ import annotations

import pytest

from closewatch.backups.age import AGE
from closewatch.backups.found import Fault
from closewatch.backups.judge import State
from tests.unit.backups.reading import PREFIX, read, row


def test_metrics_and_help():
    for family in AGE.families:
        assert family.name.startswith(PREFIX)
        assert family.help[0].isupper()
        assert family.help.endswith(".")
        assert "_age_" not in family.name


def test_no_backup_at_all_gives_no_time_and_no_size():
    assert read([]) == []


def test_the_newest_good_one_counts():
    lines = read([row(at=1000, size=5), row(at=2000, size=7), row(at=1500, size=6)], oldest=1000)
    assert lines == [
        "seen{state='good'} 3",
        "oldest_timestamp_seconds 1000",
        "last_success_timestamp_seconds{type='dump'} 2000",
        "size_bytes{type='dump'} 7",
        "completeness_known{type='dump'} 1",
    ]


@pytest.mark.parametrize(("before", "usual"), [(2, None), (3, 30), (14, 30), (20, 30)])
def test_what_is_usual_is_the_median_of_those_before_the_newest(before: int, usual: int | None):
    rows = [row(at=5000, size=1)] + [row(at=1000 + n, size=30 if n % 3 else 29) for n in range(20 - before, 20)]
    assert [line for line in read(rows) if line.startswith("usual")] == (
        [f"usual_size_bytes{{type='dump'}} {usual}"] if usual else []
    )


def test_only_the_last_fourteen_are_usual():
    rows = [row(at=n, size=10 if n < 85 else 1000) for n in range(100)]
    assert "usual_size_bytes{type='dump'} 1000" in read(rows)


def test_each_type_has_its_own_history():
    rows = [row(at=n, size=1000) for n in range(5)] + [row(at=n, size=1, type="archive") for n in range(5)]
    lines = read(rows)
    assert "usual_size_bytes{type='dump'} 1000" in lines
    assert "usual_size_bytes{type='archive'} 1" in lines


def test_what_is_bad_or_unfinished_is_no_success():
    rows = [
        row(at=1000),
        row(at=2000, state="bad", reason="truncated", whole=None),
        row(at=3000, state="bad", reason="empty", whole=None, type="opaque"),
        row(at=4000, state="unfinished", whole=None),
    ]
    lines = read(rows, unread=9)
    assert "last_success_timestamp_seconds{type='dump'} 1000" in lines
    assert [line for line in lines if line.startswith(("last_failure", "seen"))] == [
        "seen{state='good'} 1",
        "seen{state='bad'} 2",
        "seen{state='unfinished'} 1",
        "seen{state='unread'} 9",
        "last_failure_timestamp_seconds{reason='empty'} 3000",
    ]


def test_verified_is_said_only_where_something_was():
    assert not any("verified" in line for line in read([row()]))
    both = [row(at=1, type="full", verified=True), row(at=2, type="full", verified=False, state="bad", reason="empty")]
    assert "verified{type='full',by='page_checksums'} 0" in read(both)
    assert "verified{type='full',by='page_checksums'} 1" in read(both[:1])


def test_a_backup_that_runs_has_no_time_yet():
    rows = [row(at=1), dict.fromkeys(row(), None) | {"state": "unfinished"}]
    assert "seen{state='unfinished'} 1" in read(rows)


def test_how_long_it_took_and_what_the_repository_says():
    lines = read([row(type="full", seconds=12.5)], status="ok")
    assert "duration_seconds{type='full'} 12.5" in lines
    assert "repository_info{status='ok'} 1" in lines


def test_the_oldest_of_a_listing_that_is_cut_is_not_known():
    lines = read([row()], truncated=True, oldest=5)
    assert "listing_truncated 1" in lines
    assert not any(line.startswith("oldest") for line in lines)


def test_words_of_labels_are_a_closed_set():
    words = [*State, *Fault]
    assert all(word.value == word.value.lower() for word in words)
