"""What a place with files has in common, be it a folder or a bucket: a listing, and reading a part of one of them."""

from __future__ import annotations

import fnmatch
import heapq
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from closewatch.core.deadline import Deadline

KEEP = 500
"""So many of the newest are known one by one; the rest of a large place is counted."""
TOC = "toc.dat"
PART = re.compile(r"toc\.dat|\d+\.dat(\.\w+)?|blobs?_?\w*\.(dat|toc)(\.\w+)?|blobs\.toc")
"""The files of pg_dump's directory format."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, or one folder of pg_dump's directory format with its `parts` (sizes in bytes, by name).

    `name` is relative to the place. `modified` is in Unix seconds; `tag` changes when the content does. `readable` is
    False for an object that lies in an archive tier, from where it can't be read now.
    """

    name: str
    size: int
    modified: float
    tag: str
    parts: Mapping[str, int] = field(default_factory=dict)
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """The newest first, at most `KEEP`; how many there are; the oldest one's time; whether it is not all of them."""

    entries: tuple[Entry, ...]
    total: int
    oldest: float | None
    truncated: bool

    @classmethod
    def of(cls, entries: Iterable[Entry], *, truncated: bool) -> Listing:
        """A listing of all these."""
        found = list(entries)
        newest = heapq.nlargest(KEEP, found, key=lambda entry: (entry.modified, entry.name))
        oldest = min((entry.modified for entry in found), default=None)
        return cls(tuple(newest), len(found), oldest, truncated)


class Gone(Exception):
    """The file went away, or changed, since it was listed."""


class Store(Protocol):
    """A place with files. `atomic` where a file that is listed is whole; `where` in words for the log."""

    atomic: bool
    where: str

    def list(self, deadline: Deadline) -> Listing:
        """What is there. Raises Unavailable."""

    def read(self, entry: Entry, part: str, start: int, length: int, deadline: Deadline) -> bytes:
        """Bytes of a file (of its `part`, where it has some), fewer at its end. Raises Unavailable, Gone."""

    def close(self) -> None:
        """Let go of what is held."""


Levels = tuple[re.Pattern[str], ...]
"""A pattern, level by level of folders."""


def pattern(text: str) -> Levels:
    """A pattern such as `*.dump` or `*/acme-*.zip`, one expression for each level of folders."""
    return tuple(re.compile(fnmatch.translate(level)) for level in text.split("/"))


def matches(name: str, levels: Levels) -> bool:
    """Whether a relative name fits, level by level."""
    found = name.split("/")
    return len(found) == len(levels) and all(level.match(one) for level, one in zip(levels, found, strict=True))
