"""The collectors `vacuum`, `io` and `storage`: rows in, samples out."""

from __future__ import annotations

from closewatch.postgresql.io import IO
from closewatch.postgresql.storage import STORAGE
from closewatch.postgresql.vacuum import VACUUM
from tests.unit.postgresql.reading import read, target

PREFIX = "closewatch_postgresql_"
ROW = {
    "read_bytes": 1.0,
    "write_bytes": 2.0,
    "read_seconds": 3.0,
    "write_seconds": 4.0,
    "cached_bytes": 5.0,
    "wal_bytes": 6.0,
    "wal_records": 7,
    "wal_images": 8,
    "wal_buffers_full": 9,
    "wal_sync_seconds": 10.0,
    "temp_files": 11.0,
    "temp_bytes": 12.0,
}


def vacuum(**row):
    idle = {"readable": True, "enabled": True, "max": 3, "workers": 0, "wraparound": 0, "oldest": None, "scanned": None}
    return read(VACUUM, {**idle, **row})


def test_an_idle_autovacuum():
    assert vacuum() == [
        f"{PREFIX}autovacuum_enabled 1",
        f"{PREFIX}autovacuum_workers 0",
        f"{PREFIX}autovacuum_workers_max 3",
        f"{PREFIX}autovacuum_wraparound_workers 0",
    ]


def test_a_vacuum_that_runs():
    shown = vacuum(workers=2, wraparound=1, oldest=1.7e9, scanned=0.25)
    assert f"{PREFIX}autovacuum_wraparound_workers 1" in shown
    assert f"{PREFIX}vacuum_oldest_start_timestamp_seconds 1700000000" in shown
    assert f"{PREFIX}vacuum_oldest_scanned_ratio 0.25" in shown


def test_an_empty_table_has_no_share():
    assert not any("scanned" in line for line in vacuum(workers=1, oldest=1.7e9, scanned=None))


def test_all_that_is_read_and_written():
    assert read(IO, ROW) == [
        f'{PREFIX}io_bytes_total{{operation="read"}} 1',
        f'{PREFIX}io_seconds_total{{operation="read"}} 3',
        f'{PREFIX}io_bytes_total{{operation="write"}} 2',
        f'{PREFIX}io_seconds_total{{operation="write"}} 4',
        f"{PREFIX}cached_read_bytes_total 5",
        f"{PREFIX}wal_bytes_total 6",
        f"{PREFIX}wal_records_total 7",
        f"{PREFIX}wal_full_page_images_total 8",
        f"{PREFIX}wal_buffers_full_total 9",
        f"{PREFIX}wal_sync_seconds_total 10",
        f"{PREFIX}temp_files_total 11",
        f"{PREFIX}temp_bytes_total 12",
    ]


def test_what_is_not_measured_is_absent():
    lacking = dict.fromkeys(
        ("read_seconds", "write_seconds", "wal_records", "wal_images", "wal_buffers_full", "wal_sync_seconds")
    )
    shown = read(IO, {**ROW, **lacking})
    assert len(shown) == 6
    assert not any("seconds" in line or "records" in line for line in shown)


def test_a_dropped_database_or_a_failover_takes_nothing_back():
    memory = {}
    before = read(IO, ROW, memory=memory)
    assert read(IO, dict.fromkeys(ROW, 0.5), memory=memory) == before
    assert read(IO, ROW, memory=memory, member="10.0.0.2:5432") == read(IO, ROW, memory={**memory}, member="x:5432")
    grown = read(IO, {**ROW, "temp_bytes": 15.0}, memory=memory, member="10.0.0.2:5432")
    assert grown[-1] == f"{PREFIX}temp_bytes_total 15"


def test_the_limit_is_what_the_configuration_says():
    assert read(STORAGE, {"wal": 1e9}, on=target(storage_limit="1.5TiB")) == [
        f"{PREFIX}wal_size_bytes 1000000000",
        f"{PREFIX}storage_limit_bytes {3 * 2**39}",
    ]
    assert read(STORAGE, {"wal": 1e9}) == [f"{PREFIX}wal_size_bytes 1000000000"]
