"""Is a file a good backup? Its content, and whether it still moves, decide; the newest good one is what counts.

What is being written is neither good nor bad. A file whose end can be seen is done when it has one. Of any other, and
before a cut one is called bad, the file must not have changed for a while (`settle`); objects in a bucket appear whole.
"""

from __future__ import annotations

import enum
import re
from typing import NamedTuple

from closewatch.backups.found import Fault, Found
from closewatch.sources.store import Entry

AHEAD = 600.0
"""Seconds that a file may be newer than our clock says."""
LONGEST_MAKING = 86_400.0
"""A copy gets a new date; what its content says counts, plus this: no dump takes longer."""
ABANDONED = 86_400.0
_UNDER_WAY = re.compile(
    r"(^|/)[.~#][^/]*$|(\.(tmp|temp|part|partial|filepart|crdownload|swp|wip|inprogress|in-progress|incomplete)|~)$",
    re.IGNORECASE,
)
_BESIDE = re.compile(r"\.(sha(1|224|256|384|512)(sums?)?|md5(sums?)?|sig|minisig|log|txt)$", re.IGNORECASE)


class State(enum.StrEnum):
    """The label `state`."""

    GOOD = "good"
    BAD = "bad"
    UNFINISHED = "unfinished"
    UNREAD = "unread"


class Verdict(NamedTuple):
    """`at` is when the backup was done, in Unix seconds; `reason` is for what is bad."""

    state: State
    at: float
    reason: Fault | None = None


def under_way(name: str) -> bool:
    """Whether a name is one that programs give to what they are writing."""
    return _UNDER_WAY.search(name) is not None


def beside(name: str) -> bool:
    """Whether a name is that of what lies beside a backup: a checksum, a signature, a log."""
    return _BESIDE.search(name) is not None


def judge(entry: Entry, found: Found, now: float, *, moving: bool) -> Verdict:
    """The verdict on one file; `moving` where it may still be written."""
    if under_way(entry.name):
        if now - entry.modified > ABANDONED:
            return Verdict(State.BAD, entry.modified, Fault.ABANDONED)
        return Verdict(State.UNFINISHED, entry.modified)
    at = entry.modified if found.begun is None else min(entry.modified, found.begun + LONGEST_MAKING)
    if at > now + AHEAD:
        return Verdict(State.BAD, at, Fault.IN_THE_FUTURE)
    if found.fault is not None:
        return Verdict(State.UNFINISHED, at) if moving else Verdict(State.BAD, at, found.fault)
    if found.whole is None and moving:
        return Verdict(State.UNFINISHED, at)
    return Verdict(State.GOOD, at)
