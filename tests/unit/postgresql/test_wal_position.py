"""The collector `wal_position`."""

from __future__ import annotations

from closewatch.postgresql.wal_position import WAL_POSITION
from tests.unit.postgresql.reading import read

ROW = {"system_identifier": "7713112814927306417", "timeline": "1", "position": 150_994_984.0}
SERIES = 'closewatch_postgresql_wal_position_bytes{system_identifier="7713112814927306417",timeline="%s"} %d'


def test_where_it_ends_and_whose_it_is():
    assert read(WAL_POSITION, ROW) == [SERIES % ("1", 150_994_984)]


def test_it_goes_where_a_failover_takes_it():
    memory = {}
    read(WAL_POSITION, ROW, memory=memory)
    lower = {**ROW, "timeline": "2", "position": 150_000_000.0}
    assert read(WAL_POSITION, lower, memory=memory, member="10.0.0.2:5432") == [SERIES % ("2", 150_000_000)]
