"""The collector `checkpoints`."""

from __future__ import annotations

from closewatch.postgresql.checkpoints import CHECKPOINTS
from tests.unit.postgresql.reading import read

ROW = {"timed": 40, "requested": 2, "write_seconds": 96.5, "sync_seconds": 0.007}


def test_timed_and_requested_and_what_they_took():
    assert read(CHECKPOINTS, ROW) == [
        'closewatch_postgresql_checkpoints_total{kind="timed"} 40',
        'closewatch_postgresql_checkpoints_total{kind="requested"} 2',
        "closewatch_postgresql_checkpoint_write_seconds_total 96.5",
        "closewatch_postgresql_checkpoint_sync_seconds_total 0.007",
    ]


def test_a_failover_adds_nothing():
    memory = {}
    read(CHECKPOINTS, ROW, memory=memory)
    after = read(CHECKPOINTS, {**ROW, "timed": 9000, "requested": 0}, memory=memory, member="10.0.0.2:5432")
    assert after[:2] == [
        'closewatch_postgresql_checkpoints_total{kind="timed"} 40',
        'closewatch_postgresql_checkpoints_total{kind="requested"} 2',
    ]
