"""The collector `server`."""

from __future__ import annotations

from closewatch.postgresql.server import SERVER
from tests.unit.postgresql.reading import read


def test_version_and_start():
    assert read(SERVER, {"version": "17.10", "started": 1_732_400_000.25}) == [
        'closewatch_postgresql_info{version="17.10"} 1',
        "closewatch_postgresql_start_timestamp_seconds 1732400000.25",
    ]
