"""The collector `transactions`."""

from __future__ import annotations

from closewatch.postgresql.transactions import TRANSACTIONS
from tests.unit.postgresql.reading import read

QUIET = {
    "readable": True,
    "oldest_ordinary": None,
    "oldest_maintenance": None,
    "oldest_idle": None,
    "prepared": 0,
    "oldest_prepared": None,
    "xmin_session": None,
    "xmin_prepared": None,
    "xmin_slot": None,
    "xmin_slot_catalog": None,
    "xmin_standby": None,
    "commits": 1000.0,
    "rollbacks": 10.0,
}


def test_nothing_is_open():
    assert read(TRANSACTIONS, QUIET) == [
        "closewatch_postgresql_prepared_transactions 0",
        "closewatch_postgresql_commits_total 1000",
        "closewatch_postgresql_rollbacks_total 10",
    ]


def test_all_there_is():
    row = {
        **QUIET,
        "oldest_ordinary": 1.5,
        "oldest_maintenance": 2.5,
        "oldest_idle": 3.5,
        "prepared": 1,
        "oldest_prepared": 4.5,
        "xmin_session": 5,
        "xmin_prepared": 6,
        "xmin_slot": 7,
        "xmin_slot_catalog": 8,
        "xmin_standby": 9,
    }
    assert read(TRANSACTIONS, row) == [
        'closewatch_postgresql_oldest_transaction_start_timestamp_seconds{activity="ordinary"} 1.5',
        'closewatch_postgresql_oldest_transaction_start_timestamp_seconds{activity="maintenance"} 2.5',
        "closewatch_postgresql_oldest_idle_in_transaction_start_timestamp_seconds 3.5",
        "closewatch_postgresql_prepared_transactions 1",
        "closewatch_postgresql_oldest_prepared_timestamp_seconds 4.5",
        'closewatch_postgresql_xmin_horizon_age_transactions{holder="session"} 5',
        'closewatch_postgresql_xmin_horizon_age_transactions{holder="prepared"} 6',
        'closewatch_postgresql_xmin_horizon_age_transactions{holder="slot"} 7',
        'closewatch_postgresql_xmin_horizon_age_transactions{holder="slot_catalog"} 8',
        'closewatch_postgresql_xmin_horizon_age_transactions{holder="standby"} 9',
        "closewatch_postgresql_commits_total 1000",
        "closewatch_postgresql_rollbacks_total 10",
    ]


def test_a_dropped_database_takes_no_commits_with_it():
    memory = {}
    read(TRANSACTIONS, QUIET, memory=memory)
    lines = read(TRANSACTIONS, {**QUIET, "commits": 400.0}, memory=memory)
    assert "closewatch_postgresql_commits_total 1000" in lines
