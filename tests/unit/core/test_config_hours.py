"""Operating hours: by the clock on the wall, through midnight and summer time."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closewatch.core import hours as module
from closewatch.core.hours import DAYS, Hours

PARIS = zoneinfo.ZoneInfo("Europe/Paris")
ZONES = st.sampled_from(
    ["UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]
)
MOMENTS = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2035, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001
MINUTES = st.integers(0, 24 * 60 - 1)


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def paris(day: int, time: str, month: int = 6) -> dt.datetime:
    hour, minute = time.split(":")
    return dt.datetime(2026, month, day, int(hour), int(minute), tzinfo=PARIS)


@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        ("Mon-Fri 06:00-22:00", paris(1, "06:00"), True),  # 1 June 2026 is a Monday
        ("Mon-Fri 06:00-22:00", paris(1, "05:59"), False),
        ("Mon-Fri 06:00-22:00", paris(1, "21:59"), True),
        ("Mon-Fri 06:00-22:00", paris(1, "22:00"), False),
        ("Mon-Fri 06:00-22:00", paris(6, "12:00"), False),
        ("Mon-Fri 06:00-22:00, Sat 08:00-12:00", paris(6, "08:30"), True),
        ("mon - fri 6:00 - 22:00,SAT 8:00-12:00", paris(6, "08:30"), True),
        ("Fri-Mon 06:00-22:00", paris(7, "12:00"), True),
        ("Fri-Mon 06:00-22:00", paris(3, "12:00"), False),
        ("Fri 22:00-06:00", paris(5, "22:00"), True),
        ("Fri 22:00-06:00", paris(6, "05:59"), True),
        ("Fri 22:00-06:00", paris(6, "06:00"), False),
        ("Fri 22:00-06:00", paris(5, "03:00"), False),
        ("Sun 22:00-06:00", paris(1, "03:00"), True),
        ("06:00-22:00", paris(7, "12:00"), True),
        ("Sat 00:00-24:00", paris(6, "23:59"), True),
        ("Sat 00:00-24:00", paris(7, "00:00"), False),
    ],
)
def test_examples(text, moment, expected):
    assert Hours.parse(text, "Europe/Paris").active(moment) is expected


def test_the_hour_that_comes_twice_counts_twice_and_the_missing_one_not():
    night = Hours.parse("Sun 02:00-03:00", "Europe/Paris")
    autumn = [dt.datetime(2026, 10, 25, hour, 30, tzinfo=dt.UTC) for hour in range(4)]
    assert [night.active(moment) for moment in autumn] == [True, True, False, False]
    spring = [dt.datetime(2026, 3, 29, hour, 30, tzinfo=dt.UTC) for hour in range(4)]
    assert [night.active(moment) for moment in spring] == [False, False, False, False]


@settings(deadline=None)
@given(MOMENTS, ZONES, MINUTES, MINUTES, st.integers(0, 6))
def test_a_span_and_what_it_leaves_out_are_exact_opposites(moment, zone, start, end, day):
    """A day's span, plus the rest of that day's 24 hours on the wall, plus the other days, is always."""
    if start == end:
        return
    span = Hours.parse(f"{DAYS[day]} {clock(start)}-{clock(end)}", zone)
    local = moment.astimezone(span.zone)
    minute = local.hour * 60 + local.minute
    begun = local.weekday() == day and minute >= start and (end < start or minute < end)
    carried = end < start and local.weekday() == (day + 1) % 7 and minute < end
    assert span.active(moment) is (begun or carried)


@settings(deadline=None)
@given(MOMENTS, ZONES, MINUTES, MINUTES)
def test_every_day_and_its_complement_never_agree(moment, zone, start, end):
    if start == end:
        return
    inside = Hours.parse(f"{clock(start)}-{clock(end)}", zone)
    outside = Hours.parse(f"{clock(end)}-{clock(start)}", zone)
    assert inside.active(moment) is not outside.active(moment)


@settings(deadline=None)
@given(MOMENTS, ZONES, ZONES)
def test_only_the_moment_counts_not_how_it_is_written(moment, zone, other):
    week = Hours.parse("Mon-Fri 06:00-22:00, Sat 22:00-03:30", zone)
    assert week.active(moment) is week.active(moment.astimezone(module.zone(other)))


@settings(deadline=None)
@given(MOMENTS, ZONES)
def test_the_whole_week_is_always(moment, zone):
    assert Hours.parse("Mon-Sun 00:00-24:00", zone).active(moment)


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_hours_or_refused(text):
    said = ""
    try:
        Hours.parse(text)
    except ValueError as error:
        said = str(error)
    assert said.isprintable()


def test_a_time_without_zone_is_refused():
    with pytest.raises(ValueError, match="without a time zone"):
        Hours.parse("06:00-22:00").active(dt.datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("name", ["", "Europe", "../etc/passwd", "/etc/passwd", "x\0y", "é", "x" * 10_000])
def test_odd_names_of_zones_are_refused(name):
    with pytest.raises(ValueError, match="not a known time zone"):
        Hours.parse("06:00-22:00", name)


def test_a_machine_without_time_zones_says_what_to_install(monkeypatch):
    def none(name: str) -> None:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", none)
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    with pytest.raises(ValueError, match="install the package tzdata"):
        module.zone("Europe/Paris")
    assert module.zone("UTC") is dt.UTC
