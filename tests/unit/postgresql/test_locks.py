"""The collector `locks`."""

from __future__ import annotations

from closewatch.postgresql.locks import LOCKS
from tests.unit.postgresql.reading import read

ROW = {"readable": True, "blocked": 0, "blocking": 0, "oldest": None, "deadlocks": 0.0}


def test_nobody_waits():
    assert read(LOCKS, ROW) == [
        "closewatch_postgresql_blocked_sessions 0",
        "closewatch_postgresql_blocking_sessions 0",
        "closewatch_postgresql_deadlocks_total 0",
    ]


def test_a_queue_behind_one():
    assert read(LOCKS, {**ROW, "blocked": 42, "blocking": 1, "oldest": 1_732_400_000.0, "deadlocks": 2.0}) == [
        "closewatch_postgresql_blocked_sessions 42",
        "closewatch_postgresql_blocking_sessions 1",
        "closewatch_postgresql_blocked_oldest_start_timestamp_seconds 1732400000",
        "closewatch_postgresql_deadlocks_total 2",
    ]


def test_a_dropped_database_is_no_new_deadlock():
    memory = {}
    for said, shown in ((12.0, 12), (7.0, 12), (8.0, 13)):
        lines = read(LOCKS, {**ROW, "deadlocks": said}, memory=memory)
        assert lines[-1] == f"closewatch_postgresql_deadlocks_total {shown}"
