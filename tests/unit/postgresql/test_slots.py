"""The collector `slots`."""

from __future__ import annotations

import pytest

from closewatch.postgresql.slots import SLOTS
from tests.unit.postgresql.reading import read

ROW = {
    "slot": "standby_2",
    "active": True,
    "status": "reserved",
    "safe": None,
    "retained": 16_777_216.0,
    "reason": None,
    "inactive_since": None,
}


def test_no_slot_no_series():
    assert read(SLOTS) == []


def test_a_slot_in_use():
    assert read(SLOTS, ROW) == [
        'closewatch_postgresql_slot_retained_bytes{slot="standby_2"} 16777216',
        'closewatch_postgresql_slot_active{slot="standby_2"} 1',
        'closewatch_postgresql_slot_status{slot="standby_2",status="reserved"} 1',
    ]


def test_a_slot_that_is_about_to_be_lost_may_be_past_its_limit():
    row = {**ROW, "active": False, "status": "unreserved", "safe": -8192.0, "inactive_since": 1_732_400_000.5}
    assert read(SLOTS, row) == [
        'closewatch_postgresql_slot_retained_bytes{slot="standby_2"} 16777216',
        'closewatch_postgresql_slot_active{slot="standby_2"} 0',
        'closewatch_postgresql_slot_status{slot="standby_2",status="unreserved"} 1',
        'closewatch_postgresql_slot_safe_bytes{slot="standby_2"} -8192',
        'closewatch_postgresql_slot_inactive_since_timestamp_seconds{slot="standby_2"} 1732400000.5',
    ]


def test_a_lost_slot_keeps_nothing_and_says_why():
    row = {**ROW, "active": False, "status": "lost", "retained": None, "reason": "wal_removed"}
    assert read(SLOTS, row) == [
        'closewatch_postgresql_slot_active{slot="standby_2"} 0',
        'closewatch_postgresql_slot_status{slot="standby_2",status="lost"} 1',
        'closewatch_postgresql_slot_invalidated{slot="standby_2",reason="wal_removed"} 1',
    ]


@pytest.mark.parametrize("word", ["fine", "", "RESERVED", 'reserved"} 1\n'])
def test_a_status_that_is_not_known_is_unknown_never_well(word):
    lines = read(SLOTS, {**ROW, "status": word})
    assert 'closewatch_postgresql_slot_status{slot="standby_2",status="unknown"} 1' in lines
    assert not any("reserved" in line for line in lines)


@pytest.mark.parametrize("reason", ["rows_removed", "wal_level_insufficient", "idle_timeout"])
def test_a_reason_is_said_in_the_servers_word(reason):
    lines = read(SLOTS, {**ROW, "reason": reason})
    assert f'closewatch_postgresql_slot_invalidated{{slot="standby_2",reason="{reason}"}} 1' in lines


@pytest.mark.parametrize("reason", ["conflicting", "moonlight", ""])
def test_a_reason_that_is_not_known_is_unknown(reason):
    lines = read(SLOTS, {**ROW, "reason": reason})
    assert 'closewatch_postgresql_slot_invalidated{slot="standby_2",reason="unknown"} 1' in lines


def test_a_slot_that_was_never_used_has_no_status():
    row = {**ROW, "active": False, "status": None, "retained": None}
    assert read(SLOTS, row) == ['closewatch_postgresql_slot_active{slot="standby_2"} 0']
