"""The WAL in a repository of pgBackRest: `info` names the first segment and the last, `repo-ls` each, and its time.

Everything is listed each ten minutes and when a folder of segments is full, in between only the newest folder. Where
all of it can't be listed in time, nothing is said of missing segments; where none is, not up to when one can go back.
With a `repo-retention-archive` of its own, `expire` leaves an older backup the WAL of its making alone: what is missing
up to the next backup is no loss then, and the window begins later.

Source: pgBackRest's src/command/repo/ls.c and src/command/expire/expire.c; run with 2.45.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from closewatch.backups import wal
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.tool import Ran

AGAIN = 600.0
"""Seconds between two listings of everything: segments that are pushed in parallel arrive in another order."""
LATER = 3600.0
"""Seconds after one that did not succeed."""
SHARE = 0.6
"""Of the time that is left, what a listing may take."""
MOST_HISTORIES = 8
_ID = re.compile(r"\d{1,3}(\.\d{1,2})?-\d{1,6}")
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_SIZES = tuple(1 << power for power in range(20, 31))


class Part(NamedTuple):
    """The archive of one cluster: its folder, the number of the cluster, and its first and last segment."""

    id: str
    database: int
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Listed:
    """Names and times; `whole` where everything was listed, so that what isn't there is missing."""

    names: Mapping[str, float]
    whole: bool
    histories: Mapping[int, str]

    def newest(self, segment: str) -> float | None:
        """When a segment was archived."""
        return max((at for name, at in self.names.items() if name.startswith(segment)), default=None)


def part(stanza: Mapping[str, Any], repo: int) -> Part | None:
    """That of the newest cluster with WAL in the repository: after an upgrade, none of the older is added to."""
    parts = [
        Part(str(one["id"]), int(one["database"]["id"]), str(one["min"]), str(one["max"]))
        for one in stanza.get("archive") or ()
        if int(one["database"].get("repo-key", 1)) == repo and one.get("min") and one.get("max")
    ]
    return max(parts, key=lambda one: one.database, default=None)


def window(backups: Sequence[Mapping[str, Any]], of: Part, listed: Listed | None) -> Mapping[str, Any]:
    """What the good backups of a cluster and its WAL give: `since`, `until`, `missing`, as far as it is known."""
    size = _size(backups)
    if listed is None or not listed.whole or size is None:
        low, high = of.first[8:], of.last[8:]
        kept = [one for one in backups if low <= _needs(one, "start")[8:] and _needs(one, "stop")[8:] <= high]
        if not kept:
            return {}
        since = min(float(one["timestamp"]["stop"]) for one in kept)
        until = None if listed is None else listed.newest(of.last)
        return {"since": since, "until": None if until is None else max(since, until)}
    bases = []
    for one in backups:
        first, last = wal.segment(_needs(one, "start"), size), wal.segment(_needs(one, "stop"), size)
        if first is not None and last is not None:
            bases.append(wal.Base(first, last, float(one["timestamp"]["stop"])))
    archive = wal.archive(listed.names.items(), listed.histories, size)
    return archive.window(_rolled_forward(archive, bases))._asdict() if bases else {}


def _needs(backup: Mapping[str, Any], end: str) -> str:
    return str((backup.get("archive") or {}).get(end) or "")


def _size(backups: Sequence[Mapping[str, Any]]) -> int | None:
    """The size of a segment: the one by which each backup's positions lie in the segments that it names."""
    told = [
        (_needs(one, end), wal.position(str(one["lsn"][end])))
        for one in backups
        for end in ("start", "stop")
        if one.get("lsn") and _SEGMENT.fullmatch(_needs(one, end))
    ]
    # The last record may end where the next segment begins.
    fitting = [
        size
        for size in _SIZES
        if all(
            name in {wal.name(wal.at(int(name[:8], 16), at, size), size) for at in (lsn, max(0, lsn - 1))}
            for name, lsn in told
        )
    ]
    return fitting[0] if told and len(fitting) == 1 else None


def _rolled_forward(archive: wal.Archive, bases: Sequence[wal.Base]) -> Sequence[wal.Base]:
    """Without the oldest that were left nothing up to the next one: that is how retention leaves them."""
    there = {one.number for one in archive.segments}
    left = sorted(bases, key=lambda base: base.at)
    while len(left) > 1:
        between = range(left[0].stop.number + 1, left[1].start.number)
        if not between or left[1].start not in archive.segments or any(number in there for number in between):
            break
        del left[0]
    return left


class Lister:
    """Lists the WAL of one stanza. `run` runs a command of pgBackRest with its arguments, and may raise Unavailable."""

    def __init__(self, run: Callable[[Deadline, Sequence[str]], Ran], stanza: str) -> None:
        self._run = run
        self._stanza = stanza
        self._kept: tuple[str, Listed] | None = None
        self._again = 0.0
        self._histories: dict[tuple[str, int], str] = {}

    def look(self, of: Part, deadline: Deadline) -> Listed | None:
        """What is there; None where it can't be listed."""
        if not _ID.fullmatch(of.id) or not _SEGMENT.fullmatch(of.last):
            return None
        folder, now = f"{of.id}/{of.last[:16]}", time.monotonic()
        if now >= self._again or (self._kept is not None and self._kept[0] != folder):
            everything = self._everything(of, deadline.sooner(deadline.left() * SHARE))
            self._again = now + (LATER if everything is None else AGAIN)
            self._kept = None if everything is None else (folder, everything)
            if everything is not None:
                return everything
        try:
            newest = self._names(deadline.sooner(deadline.left() * SHARE), folder)
        except Unavailable:
            return None
        if self._kept is None:
            return Listed(newest, whole=False, histories={})
        kept = self._kept[1]
        merged = Listed({**kept.names, **newest}, whole=True, histories=kept.histories)
        self._kept = (folder, merged)
        return merged

    def _everything(self, of: Part, deadline: Deadline) -> Listed | None:
        try:
            names = self._names(deadline, of.id, "--recurse")
            numbers = {wal.history_of(name): name for name in names}
            newest = sorted((number for number in numbers if number is not None), reverse=True)[:MOST_HISTORIES]
            histories = {number: self._history(of.id, number, numbers[number], deadline) for number in newest}
        except Unavailable:
            return None
        return Listed(names, whole=True, histories=histories)

    def _names(self, deadline: Deadline, folder: str, *options: str) -> Mapping[str, float]:
        """Files below a folder, without their folders. Raises Unavailable, also where there are none."""
        ran = self._run(deadline, [*options, "--output=json", "repo-ls", f"archive/{self._stanza}/{folder}"])
        document = ran.json()
        try:
            found = {
                name.rpartition("/")[2]: float(one["time"]) for name, one in document.items() if one["type"] == "file"
            }
        except (KeyError, TypeError, ValueError, AttributeError):
            found = {}
        if not found:
            raise Unavailable(Reason.INVALID_ANSWER, "pgbackrest lists no WAL where info names some")
        return found

    def _history(self, id: str, number: int, name: str, deadline: Deadline) -> str:
        """It never changes once it is archived."""
        known = self._histories.get((id, number))
        if known is None:
            ran = self._run(deadline, ["repo-get", f"archive/{self._stanza}/{id}/{name}"])
            known = self._histories[(id, number)] = ran.out.decode("ascii", "replace")
        return known
