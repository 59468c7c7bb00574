"""The collector `wraparound`."""

from __future__ import annotations

from closewatch.postgresql.wraparound import WRAPAROUND
from tests.unit.postgresql.reading import read


def test_the_ages_and_where_freezing_begins():
    row = {"xid_age": 131_000_000, "multixact_age": 12, "freeze_max_age": 200_000_000.0}
    assert read(WRAPAROUND, row) == [
        "closewatch_postgresql_xid_age_transactions 131000000",
        "closewatch_postgresql_multixact_age_transactions 12",
        "closewatch_postgresql_freeze_max_age_transactions 200000000",
    ]
