"""The collector `receiver`."""

from __future__ import annotations

from closewatch.core.collectors import On
from closewatch.postgresql.receiver import RECEIVER
from tests.unit.postgresql.reading import read, value

MEMBER = "10.0.0.2:5432"
LAG = "closewatch_postgresql_standby_replay_lag_seconds"
ROW = {
    "readable": True,
    "now": 10_000.0,
    "status": "streaming",
    "last_message": 9_990.0,
    "announced": 500.0,
    "received": 500.0,
    "replayed": 500.0,
    "last_commit": 1_000.0,
    "paused": False,
    "streams": True,
    "timeout": 60.0,
}
NO_LINK = {**ROW, "status": None, "last_message": None, "announced": None}


def lag(row, memory=None):
    lines = read(RECEIVER, row, memory=memory, member=MEMBER)
    return value(lines, LAG) if any(line.startswith(LAG) for line in lines) else None


def test_it_is_asked_of_standbys():
    assert RECEIVER.on is On.STANDBY


def test_a_standby_that_has_all():
    assert read(RECEIVER, ROW, member=MEMBER) == [
        'closewatch_postgresql_replication_link_up{member="10.0.0.2:5432"} 1',
        'closewatch_postgresql_replication_last_message_timestamp_seconds{member="10.0.0.2:5432"} 9990',
        'closewatch_postgresql_replication_replay_paused{member="10.0.0.2:5432"} 0',
        'closewatch_postgresql_replication_unreplayed_bytes{member="10.0.0.2:5432"} 0',
        'closewatch_postgresql_standby_replay_lag_seconds{member="10.0.0.2:5432"} 0',
    ]


def test_without_a_link_equal_positions_are_no_proof():
    assert read(RECEIVER, NO_LINK, member=MEMBER) == [
        'closewatch_postgresql_replication_link_up{member="10.0.0.2:5432"} 0',
        'closewatch_postgresql_replication_replay_paused{member="10.0.0.2:5432"} 0',
        'closewatch_postgresql_replication_unreplayed_bytes{member="10.0.0.2:5432"} 0',
        'closewatch_postgresql_standby_replay_lag_seconds{member="10.0.0.2:5432"} 9000',
    ]


def test_a_link_that_is_only_being_made_is_not_up():
    for status in ("starting", "waiting", "restarting", "stopping", "a new word"):
        lines = read(RECEIVER, {**ROW, "status": status}, member=MEMBER)
        assert lines[0] == 'closewatch_postgresql_replication_link_up{member="10.0.0.2:5432"} 0'
        assert value(lines, LAG) == 9000


def test_the_lag_begins_where_all_was_there_last_not_at_the_last_commit():
    memory = {}
    assert lag(ROW, memory) == 0
    assert lag({**NO_LINK, "now": 10_015.0}, memory) == 15
    assert lag({**ROW, "now": 10_030.0, "last_message": 10_029.0, "received": 600.0}, memory) == 30


def test_the_last_commit_counts_when_it_is_later():
    memory = {}
    lag(ROW, memory)
    assert lag({**NO_LINK, "now": 10_015.0, "last_commit": 10_010.0}, memory) == 5


def test_what_was_announced_and_did_not_arrive_is_missing():
    assert lag({**ROW, "announced": 501.0}) == 9000


def test_what_arrived_and_is_not_replayed_is_missing():
    lines = read(RECEIVER, {**ROW, "replayed": 100.0, "paused": True}, member=MEMBER)
    assert 'closewatch_postgresql_replication_replay_paused{member="10.0.0.2:5432"} 1' in lines
    assert 'closewatch_postgresql_replication_unreplayed_bytes{member="10.0.0.2:5432"} 400' in lines
    assert value(lines, LAG) == 9000


def test_a_receiver_that_hangs_past_its_own_timeout_is_not_believed():
    assert lag({**ROW, "last_message": 9_939.0}) == 9000


def test_where_nobody_asks_a_silent_link_tells_nothing():
    unwatched = {**ROW, "timeout": 0.0}
    assert lag(unwatched) == 0
    assert lag({**unwatched, "last_message": 9_000.0}) is None


def test_a_standby_that_never_replayed_a_commit_has_no_age():
    assert lag({**NO_LINK, "last_commit": None}) is None


def test_a_standby_fed_from_an_archive_has_no_link():
    archive = {**NO_LINK, "streams": False, "received": None}
    assert read(RECEIVER, archive, member=MEMBER) == [
        'closewatch_postgresql_replication_replay_paused{member="10.0.0.2:5432"} 0',
        'closewatch_postgresql_standby_replay_lag_seconds{member="10.0.0.2:5432"} 9000',
    ]


def test_a_clock_that_is_behind_gives_no_negative_lag():
    assert lag({**NO_LINK, "now": 900.0}) == 0


def test_each_standby_has_its_own_memory():
    memory = {}
    read(RECEIVER, ROW, memory=memory, member=MEMBER)
    lines = read(RECEIVER, {**NO_LINK, "now": 10_015.0}, memory=memory, member="10.0.0.3:5432")
    assert value(lines, LAG) == 9015
