"""The collector `checksums`."""

from __future__ import annotations

from closewatch.postgresql.checksums import CHECKSUMS
from tests.unit.postgresql.reading import read


def test_no_failure_so_far():
    assert read(CHECKSUMS, {"enabled": True, "failures": 0.0, "last_failure": None}) == [
        "closewatch_postgresql_checksums_enabled 1",
        "closewatch_postgresql_checksum_failures_total 0",
    ]


def test_a_damaged_page():
    assert read(CHECKSUMS, {"enabled": True, "failures": 3.0, "last_failure": 1_732_400_000.0}) == [
        "closewatch_postgresql_checksums_enabled 1",
        "closewatch_postgresql_checksum_failures_total 3",
        "closewatch_postgresql_checksum_last_failure_timestamp_seconds 1732400000",
    ]


def test_where_nobody_looks_there_is_no_zero():
    assert read(CHECKSUMS, {"enabled": False, "failures": None, "last_failure": None}) == [
        "closewatch_postgresql_checksums_enabled 0"
    ]


def test_a_count_left_from_when_checksums_were_on_is_not_shown():
    assert read(CHECKSUMS, {"enabled": False, "failures": 0.0, "last_failure": None}) == [
        "closewatch_postgresql_checksums_enabled 0"
    ]
