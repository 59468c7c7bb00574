"""The collector `cron`."""

from __future__ import annotations

from closewatch.odoo.cron import CRON
from tests.unit.odoo.reading import read

ROW = {
    "active": 23,
    "inactive": 7,
    "oldest_due": None,
    "overdue": 0,
    "last_attempt": 1_795_330_800.5,
    "failing": None,
    "oldest_failure": None,
}


def test_nothing_is_due_and_failures_leave_no_trace():
    assert read(CRON, ROW) == [
        "crons{active='true'} 23",
        "crons{active='false'} 7",
        "cron_overdue 0",
        "cron_last_attempt_timestamp_seconds 1795330800.5",
    ]


def test_late_and_failing_crons():
    row = {**ROW, "oldest_due": 1_795_330_000.0, "overdue": 2, "failing": 1, "oldest_failure": 1_795_000_000.0}
    assert read(CRON, row)[2:] == [
        "cron_oldest_due_timestamp_seconds 1795330000",
        "cron_overdue 2",
        "cron_last_attempt_timestamp_seconds 1795330800.5",
        "cron_failing 1",
        "cron_oldest_failure_timestamp_seconds 1795000000",
    ]


def test_no_failure_is_zero_where_failures_are_counted():
    assert read(CRON, {**ROW, "failing": 0})[-1] == "cron_failing 0"


def test_a_new_database_has_tried_nothing():
    assert read(CRON, {**ROW, "last_attempt": None})[-1] == "cron_overdue 0"
