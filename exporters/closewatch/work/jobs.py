"""What is to be run, and when: a check of a target, its window, and its place within that."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

from closewatch.core.checks import Check
from closewatch.core.hours import Hours
from closewatch.core.records import Chain, Record
from closewatch.core.targets import Target
from closewatch.registry import Registry

AHEAD = 600.0
"""Seconds that a record may be newer than our clock says."""
SPREAD = 3600.0
"""Within so many seconds of a window's beginning the starts are spread; less where the window is short."""


@dataclass(frozen=True, slots=True)
class Job:
    """A check of a target."""

    target: Target
    check: Check

    @property
    def chain(self) -> Chain:
        """Where its records are."""
        return Chain(self.check.name, self.target.kind, self.target.name)

    @property
    def offset(self) -> float:
        """Its place within the spread, in seconds: always the same, and in the first half of the shortest window."""
        share = int.from_bytes(hashlib.sha256(str(self.chain).encode()).digest()[:4], "big") / 2**32
        shortest = SPREAD * 2 if self.check.window is None else Hours.parse(self.check.window).shortest
        return share * min(SPREAD, self.check.every / 2, shortest / 2)


def jobs_of(registry: Registry) -> list[Job]:
    """All scheduled checks that are known now."""
    return [Job(scrape.target, check) for scrape in registry.scrapes() for check in scrape.target.settings.checks()]


def is_due(job: Job, newest: Record | None, now: float) -> bool:
    """Whether it is to run now. The first run of all comes at once: nobody waits a week to see whether it works."""
    check = job.check
    if check.window is not None:
        hours = Hours.parse(check.window, check.timezone)
        if not hours.active(dt.datetime.fromtimestamp(now, dt.UTC)):
            return False
        # The window has been open for as long as the offset asks.
        before = dt.datetime.fromtimestamp(now - job.offset, dt.UTC)
        if newest is not None and not hours.active(before):
            return False
    # A record from a time when the clock was ahead must not keep the check silent until that time comes.
    return newest is None or now >= newest.start + check.every or newest.start > now + AHEAD
