"""WAL: which segments are there, which are missing, and so from when to when a cluster can be brought back. Pure.

A base backup can be rolled forward as far as its segments follow each other without a hole, along the history of its
timeline. The window is that of the base backups that reach furthest: from the end of the oldest of them to when the
last segment was archived. A segment that is `.partial` is none: recovery doesn't read it.

Source: PostgreSQL's src/include/access/xlog_internal.h (names), src/backend/access/transam/timeline.c (histories).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

SEGMENT_SIZE = 16 * 1024 * 1024
_ID = 1 << 32
_PACKED = r"(\.(gz|zst|lz4|lzma|lzo|bz2|xz|br|snappy))?$"
_NAME = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(-[0-9a-f]{40})?" + _PACKED)
_HISTORY = re.compile(r"([0-9A-F]{8})\.history" + _PACKED)
_LINE = re.compile(r"\s*(\d{1,10})\s+([0-9A-F]{1,8})/([0-9A-F]{1,8})(\s|$)")


class Segment(NamedTuple):
    """A segment by its timeline and its number on the whole line of WAL."""

    timeline: int
    number: int


class Base(NamedTuple):
    """A base backup: its first and last segment, and when it ended."""

    start: Segment
    stop: Segment
    at: float


class Window(NamedTuple):
    """Times between which any moment can be restored; `missing` segments from the oldest base backup's first on."""

    since: float | None
    until: float | None
    missing: int


class Fork(NamedTuple):
    """A line of a history: up to this position a timeline has `timeline` for an ancestor."""

    timeline: int
    position: int


@dataclass(slots=True)
class Archive:
    """What lies in an archive: when each segment was put there, and the histories."""

    size: int = SEGMENT_SIZE
    segments: dict[Segment, float] = field(default_factory=dict)
    histories: dict[int, Sequence[Fork]] = field(default_factory=dict)

    def window(self, bases: Iterable[Base]) -> Window:
        """The window that these base backups and this archive give."""
        ordered = sorted(bases, key=lambda base: base.at)
        if not ordered:
            return Window(None, None, 0)
        reached = [(base, self._reach(base)) for base in ordered]
        whole = [(base, last) for base, last in reached if last is not None and last.number >= base.stop.number]
        missing = self._missing(ordered[0])
        if not whole:
            return Window(None, None, missing)
        furthest = max(self._archived(last) for _, last in whole)
        since = min(base.at for base, last in whole if self._archived(last) == furthest)
        return Window(since, max(since, furthest), missing)

    def _archived(self, segment: Segment) -> float:
        return self.segments[segment]

    def _path(self, base: Base) -> list[Segment]:
        """The segments that are there of those that recovery from this backup would read, in their order."""
        target, forks = self._line(base.start)
        return sorted(
            (
                one
                for one in self.segments
                if one.number >= base.start.number and one.timeline == self._owner(one.number, target, forks)
            ),
            key=lambda one: one.number,
        )

    def _reach(self, base: Base) -> Segment | None:
        last = None
        for expected, one in enumerate(self._path(base), base.start.number):
            if one.number != expected:
                break
            last = one
        return last

    def _missing(self, base: Base) -> int:
        path = self._path(base)
        end = max(base.stop.number, path[-1].number) if path else base.stop.number
        return end - base.start.number + 1 - len(path)

    def _line(self, start: Segment) -> tuple[int, Sequence[Fork]]:
        """The newest timeline that comes of a backup's, and its history; that of the backup, where none does."""
        for timeline in sorted(self.histories, reverse=True):
            forks = self.histories[timeline]
            on_it = [fork for fork in forks if fork.timeline == start.timeline]
            if on_it and start.number <= on_it[0].position // self.size and self._has(timeline):
                return timeline, forks
        return start.timeline, self.histories.get(start.timeline, ())

    def _has(self, timeline: int) -> bool:
        return any(one.timeline == timeline for one in self.segments)

    def _owner(self, number: int, target: int, forks: Sequence[Fork]) -> int:
        """The timeline whose segment of this number is read: the one with the fork in it is copied to the new one."""
        return next((fork.timeline for fork in forks if number < fork.position // self.size), target)


def segment(name: str, size: int = SEGMENT_SIZE) -> Segment | None:
    """The segment of a file's name, packed or not; None where it is none."""
    found = _NAME.match(name)
    if found is None:
        return None
    timeline, log, low = (int(found.group(part), 16) for part in (1, 2, 3))
    each = _ID // size
    return Segment(timeline, log * each + low) if timeline and low < each else None


def name(of: Segment, size: int = SEGMENT_SIZE) -> str:
    """The name of a segment's file."""
    each = _ID // size
    return f"{of.timeline:08X}{of.number // each:08X}{of.number % each:08X}"


def position(text: str) -> int:
    """A position such as 0/3000028. Raises ValueError."""
    high, _, low = text.partition("/")
    return int(high, 16) * _ID + int(low, 16)


def at(timeline: int, where: int, size: int = SEGMENT_SIZE) -> Segment:
    """The segment with a position."""
    return Segment(timeline, where // size)


def history_of(name: str) -> int | None:
    """The timeline whose history a file is; None where it is none."""
    found = _HISTORY.match(name)
    return int(found.group(1), 16) if found else None


def history(text: str) -> Sequence[Fork]:
    """The lines of a history; what is no line of it is left out."""
    lines = (_LINE.match(line) for line in text.splitlines())
    return [Fork(int(one[1]), int(one[2], 16) * _ID + int(one[3], 16)) for one in lines if one]


def archive(
    names: Iterable[tuple[str, float]], histories: Mapping[int, str] | None = None, size: int = SEGMENT_SIZE
) -> Archive:
    """An archive of files by name, each with the time it was put there."""
    found = Archive(size, histories={number: history(text) for number, text in (histories or {}).items()})
    for each, when in names:
        one = segment(each, size)
        if one is not None:
            found.segments[one] = min(when, found.segments.get(one, when))
    return found
