"""When a check is due: by its newest record, its window, and its place within it."""

from __future__ import annotations

import datetime as dt

import pytest

from closewatch.core.checks import Check, Result, Verdict
from closewatch.core.records.record import Record, make, timestamp
from closewatch.core.targets import Target
from closewatch.work import SPREAD, Job, is_due

DAY = 86_400.0
NIGHT = "Mon-Sun 22:00-05:00"


def at(text: str) -> float:
    return dt.datetime.fromisoformat(f"2026-11-{text}+00:00").timestamp()


def job(name: str = "acme", **more: object) -> Job:
    check = Check("restore", 1, lambda _task: Verdict(Result.PASSED, {}), **{"every": DAY, "limit": 60.0, **more})
    return Job(Target.of("restores", name, environment="production"), check)


def ran(when: float) -> Record:
    about = {"check": "restore", "start": timestamp(when), "end": timestamp(when + 5), "result": "passed"}
    return make(about, {}, None)


def test_the_first_run_comes_at_once():
    assert is_due(job(), None, at("28T12:00"))


def test_the_next_comes_after_the_interval_and_a_missed_one_comes_once():
    newest = ran(at("20T12:00"))
    assert not is_due(job(), newest, at("21T11:59"))
    assert is_due(job(), newest, at("21T12:00"))
    assert is_due(job(), newest, at("28T12:00"))  # a week late: one run, whose record then counts
    assert not is_due(job(), ran(at("28T12:00")), at("28T12:01"))


def test_a_clock_that_was_ahead_does_not_silence_a_check():
    assert is_due(job(), ran(at("28T12:00") + 400 * DAY), at("28T12:00"))
    assert not is_due(job(), ran(at("28T12:05")), at("28T12:00"))


def test_outside_of_the_window_nothing_starts():
    of_night = job(window=NIGHT)
    assert not is_due(of_night, None, at("28T12:00"))
    assert is_due(of_night, None, at("28T22:00"))
    assert not is_due(of_night, ran(at("20T22:00")), at("28T12:00"))


def test_starts_are_spread_and_the_same_each_day():
    offsets = {f"acme{number}": job(f"acme{number}").offset for number in range(200)}
    assert offsets == {name: job(name).offset for name in offsets}
    assert len(set(offsets.values())) == 200
    assert all(0 <= offset < SPREAD for offset in offsets.values())
    assert 0.3 < sum(offsets.values()) / 200 / SPREAD < 0.7
    one = job(window=NIGHT)
    opens, newest = at("28T22:00"), ran(at("26T22:00"))
    assert not is_due(one, newest, opens + one.offset - 1)
    assert is_due(one, newest, opens + one.offset + 1)


@pytest.mark.parametrize("window", ["Mon-Sun 22:00-22:30", "Sat 02:00-02:10", "Mon-Sun 23:50-00:10, Sun 04:00-05:00"])
def test_in_a_window_however_short_everybody_gets_a_turn(window):
    minutes = [at("28T00:00") + 60 * number for number in range(2 * 1440)]  # a Saturday and a Sunday
    for number in range(100):
        one = job(f"acme{number}", window=window)
        assert any(is_due(one, ran(at("20T22:00")), minute) for minute in minutes)


def test_a_window_in_another_zone():
    of_night = job(window="Mon-Sun 02:00-04:00", timezone="America/New_York")
    assert is_due(of_night, None, at("28T07:30"))
    assert not is_due(of_night, None, at("28T02:30"))


@pytest.mark.parametrize("result", [Result.FAILED, Result.UNKNOWN])
def test_what_did_not_pass_has_a_reason(result):
    with pytest.raises(ValueError, match="has a reason if, and only if"):
        Verdict(result, {})
    with pytest.raises(ValueError, match="has a reason if, and only if"):
        Verdict(Result.PASSED, {}, "books")
