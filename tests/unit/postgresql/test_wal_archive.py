"""The collector `wal_archive`."""

from __future__ import annotations

from closewatch.postgresql.wal_archive import WAL_ARCHIVE
from tests.unit.postgresql.reading import read

ROW = {
    "enabled": True,
    "archived_count": 812,
    "failed_count": 0,
    "last_archived": 1_732_400_000.0,
    "last_failed": None,
    "files": 0,
    "oldest": None,
}


def test_all_is_archived():
    assert read(WAL_ARCHIVE, ROW) == [
        "closewatch_postgresql_wal_archive_enabled 1",
        "closewatch_postgresql_wal_archive_last_success_timestamp_seconds 1732400000",
        "closewatch_postgresql_wal_archive_successes_total 812",
        "closewatch_postgresql_wal_archive_failures_total 0",
        "closewatch_postgresql_wal_archive_waiting_segments 0",
    ]


def test_a_command_that_hangs_shows_by_what_waits_alone():
    assert read(WAL_ARCHIVE, {**ROW, "files": 7, "oldest": 1_732_400_100.0})[-3:] == [
        "closewatch_postgresql_wal_archive_failures_total 0",
        "closewatch_postgresql_wal_archive_waiting_segments 7",
        "closewatch_postgresql_wal_archive_oldest_waiting_timestamp_seconds 1732400100",
    ]


def test_a_command_that_fails():
    lines = read(WAL_ARCHIVE, {**ROW, "failed_count": 3, "last_failed": 1_732_400_200.0, "files": 1, "oldest": 1.0})
    assert "closewatch_postgresql_wal_archive_last_failure_timestamp_seconds 1732400200" in lines
    assert "closewatch_postgresql_wal_archive_failures_total 3" in lines


def test_without_a_command_what_waits_is_shown_all_the_same():
    lines = read(WAL_ARCHIVE, {**ROW, "enabled": False, "files": 2, "oldest": 1_732_400_100.0})
    assert lines[0] == "closewatch_postgresql_wal_archive_enabled 0"
    assert lines[-2:] == [
        "closewatch_postgresql_wal_archive_waiting_segments 2",
        "closewatch_postgresql_wal_archive_oldest_waiting_timestamp_seconds 1732400100",
    ]


def test_where_archiving_is_off_nothing_waits_and_that_is_not_said_as_zero():
    row = {**ROW, "enabled": False, "archived_count": 0, "last_archived": None, "files": None}
    assert read(WAL_ARCHIVE, row) == [
        "closewatch_postgresql_wal_archive_enabled 0",
        "closewatch_postgresql_wal_archive_successes_total 0",
        "closewatch_postgresql_wal_archive_failures_total 0",
    ]


def test_failures_that_another_server_had_before_the_failover_are_no_news():
    memory = {}
    read(WAL_ARCHIVE, ROW, memory=memory)
    lines = read(WAL_ARCHIVE, {**ROW, "failed_count": 500}, memory=memory, member="10.0.0.2:5432")
    assert "closewatch_postgresql_wal_archive_failures_total 0" in lines
