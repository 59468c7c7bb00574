"""Operating hours of a tenant: when its systems are expected to be at work, by the clock on the wall of its time zone.

    Mon-Fri 06:00-22:00, Sat 08:00-12:00

A span that ends before it begins crosses midnight and belongs to the day on which it begins. Summer time needs no rule
of its own: the wall clock is compared, so an hour that comes twice counts twice and one that is left out doesn't count.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import zoneinfo
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from closewatch.core.problems import did_you_mean, quoted

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY_MINUTES = 24 * 60
_PART = re.compile(
    r"(?:(?P<first>[A-Za-z]+)(?:\s*-\s*(?P<last>[A-Za-z]+))?\s+)?"
    r"(?P<start>\d{1,2}:\d{2})\s*-\s*(?P<end>\d{1,2}:\d{2})"
)
_EXAMPLE = 'such as "Mon-Fri 06:00-22:00, Sat 08:00-12:00"'


@dataclass(frozen=True, slots=True)
class Span:
    """From one minute of the day to another (not included), on some weekdays (0 is Monday)."""

    days: frozenset[int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hours:
    """Spans of a week in a time zone."""

    spans: tuple[Span, ...]
    zone: dt.tzinfo

    @classmethod
    def parse(cls, text: str, timezone: str = "UTC") -> Hours:
        """Hours from their text. Raises ValueError that says what is allowed."""
        return _parse(text, timezone)

    @property
    def shortest(self) -> float:
        """Seconds of the shortest span."""
        return 60.0 * min((span.end - span.start) % _DAY_MINUTES or _DAY_MINUTES for span in self.spans)

    def active(self, now: dt.datetime) -> bool:
        """Whether this moment lies within the hours. Raises ValueError for a time without a time zone."""
        if now.tzinfo is None:
            raise ValueError("a time without a time zone says nothing about operating hours")
        local = now.astimezone(self.zone)
        today, minute = local.weekday(), local.hour * 60 + local.minute
        yesterday = (today - 1) % 7
        for span in self.spans:
            if span.start < span.end:
                if today in span.days and span.start <= minute < span.end:
                    return True
            elif (today in span.days and minute >= span.start) or (yesterday in span.days and minute < span.end):
                return True
        return False


@functools.lru_cache(maxsize=4096)
def _parse(text: str, timezone: str) -> Hours:
    return Hours(tuple(_span(part.strip()) for part in text.split(",")), zone(timezone))


def _span(part: str) -> Span:
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(f"{quoted(part)}: expected days and times, {_EXAMPLE}")
    start, end = _minute(match["start"]), _minute(match["end"])
    if start in (end, _DAY_MINUTES):
        raise ValueError(f"{quoted(part)}: the span is empty; a whole day is 00:00-24:00")
    if match["first"] is None:
        return Span(frozenset(range(7)), start, end)
    first = _day(match["first"])
    last = _day(match["last"]) if match["last"] else first
    length = (last - first) % 7 + 1
    return Span(frozenset((first + day) % 7 for day in range(length)), start, end)


def _minute(text: str) -> int:
    hour, minute = (int(number) for number in text.split(":"))
    total = hour * 60 + minute
    if minute >= 60 or total > _DAY_MINUTES:  # noqa: PLR2004 - minutes of an hour
        raise ValueError(f"{quoted(text)}: not a time of day; allowed: 00:00 to 24:00")
    return total


def _day(text: str) -> int:
    try:
        return DAYS.index(text.capitalize())
    except ValueError:
        raise ValueError(f"{quoted(text)}: not a day; allowed: {', '.join(DAYS)}") from None


def zone(name: str) -> dt.tzinfo:
    """The time zone of this name; UTC needs no database. Raises ValueError for an unknown one."""
    if name == "UTC":
        return dt.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass
    known = zoneinfo.available_timezones()
    if not known:
        raise ValueError("no time zones are known on this machine; install the package tzdata")
    raise ValueError(f"{quoted(name)}: not a known time zone, such as Europe/Paris{did_you_mean(name, known)}")


def _is_hours(text: str) -> str:
    Hours.parse(text)
    return text


def _is_zone(name: str) -> str:
    zone(name)
    return name


HoursText = Annotated[str, AfterValidator(_is_hours)]
"""Operating hours, or a window, as a setting."""
ZoneName = Annotated[str, AfterValidator(_is_zone)]
"""The name of a time zone as a setting."""
