"""Backups that are files, in a folder or a bucket: which of them are good, and how one is brought near.

What is good is judged as `backups.place` judges it, by content and not by name, so that "the newest good one" is the
same there and here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from closewatch.backups.found import Fault, Found, Type
from closewatch.backups.judge import State, beside, judge, under_way
from closewatch.backups.place import NEWEST, inspect
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.restores.origins import unpacked
from closewatch.restores.why import Failed, Why, unwritten
from closewatch.sources.folder import Folder
from closewatch.sources.store import Entry, Gone, Store

if TYPE_CHECKING:
    from closewatch.restores.scratch import Scratch

CHUNK = 16 * 1024 * 1024
"""Bytes of one ranged request."""
LONGEST = 60.0
"""Seconds for one request; the test's own limit is watched between them."""
ROUNDS = 200
"""Looks at a bucket whose listing is continued from one to the next."""
NEAR = "fetched"
Answer = TypeVar("Answer")
_FAULTS = {
    Fault.TRUNCATED: Why.UNREADABLE,
    Fault.INCOMPLETE: Why.UNREADABLE,
    Fault.EMPTY: Why.UNREADABLE,
    Fault.ABANDONED: Why.UNREADABLE,
    Fault.FILESTORE_MISSING: Why.FILESTORE_INCOMPLETE,
    Fault.UNSUPPORTED_VERSION: Why.WRONG_VERSION,
    Fault.IN_THE_FUTURE: Why.CLOCK,
}
"""What is said where there are backups, and none of them is good."""
_WHY = {
    Reason.NOT_FOUND: "it is not there",
    Reason.PERMISSION: "no right to read it",
    Reason.TIMEOUT: "no answer in time",
}


@dataclass(frozen=True, slots=True)
class Good:
    """A file that is a good backup, and when it was done."""

    entry: Entry
    found: Found
    at: float


@dataclass(slots=True)
class Files:
    """The good ones of `types` in a store. `settle` is for how many seconds a file must not have changed."""

    store: Store
    types: Collection[Type]
    settle: float = 0.0
    filestore: bool = True
    _known: dict[str, Good] = field(default_factory=dict)

    def good(self, scratch: Scratch) -> list[Good]:
        """The newest first. Raises Failed, also where there is none."""
        entries = [entry for entry in self._listed(scratch) if not beside(entry.name)]
        faults: set[Fault] = set()
        found = list(self._judged(entries[:NEWEST], scratch, faults))
        if not found:
            why = next((why for fault, why in _FAULTS.items() if fault in faults), Why.NO_BACKUP)
            raise Failed(why, f"no good backup of this kind is there; files: {len(entries)}")
        self._known = {one.entry.name: one for one in found}
        return sorted(found, key=lambda one: one.at, reverse=True)

    def _listed(self, scratch: Scratch) -> tuple[Entry, ...]:
        """All of a place: a long listing of a bucket takes several looks."""
        for _ in range(ROUNDS):
            scratch.need()
            listing = _asked(lambda: self.store.list(Deadline.after(LONGEST)))
            if not listing.truncated:
                break
        return listing.entries

    def _judged(self, entries: Collection[Entry], scratch: Scratch, faults: set[Fault]) -> Iterator[Good]:
        """The good ones; of the others, what is wrong with them is put into `faults`."""
        now = time.time()
        for entry in entries:
            scratch.need()
            if under_way(entry.name) or not entry.readable:
                continue
            try:
                look = partial(inspect, self.store, entry, Deadline.after(LONGEST), filestore=self.filestore)
                found = _asked(look)
            except Gone:
                continue
            moving = not self.store.atomic and now - entry.modified < self.settle
            verdict = judge(entry, found, now, moving=moving)
            if verdict.state is State.GOOD and found.type in self.types:
                yield Good(entry, found, verdict.at)
            elif verdict.reason is not None:
                faults.add(verdict.reason)

    def _read(self, entry: Entry, part: str, start: int, length: int) -> bytes:
        inside = min(length, (entry.parts[part] if part else entry.size) - start)
        return _asked(lambda: self.store.read(entry, part, start, inside, Deadline.after(LONGEST)))

    def near(self, name: str, scratch: Scratch) -> Path:
        """The file as one that can be opened: where it lies, or downloaded. Raises Failed."""
        good = self._known.get(name)
        if good is None:
            self.good(scratch)
            good = self._known.get(name)
        if good is None:
            raise Failed(Why.NO_BACKUP, "the backup that was chosen is no longer there, or no longer good")
        if isinstance(self.store, Folder):
            lying = _inside(self.store.path, name)
            return scratch.near(lying, scratch.folder(NEAR) / f"file{_suffix(name)}")
        to = scratch.folder(NEAR) / f"file{_suffix(name)}"
        try:
            if good.entry.parts:
                to.mkdir()
                for part, size in sorted(good.entry.parts.items()):
                    unpacked.write(self._download(good.entry, part, size, scratch), to / part)
            else:
                unpacked.write(self._download(good.entry, "", good.entry.size, scratch), to)
        except Gone:
            raise Failed(Why.UNREADABLE, "the backup was changed or removed while it was fetched") from None
        except OSError as error:
            raise unwritten(error) from None
        scratch.give(to)
        return to

    def _download(self, entry: Entry, part: str, size: int, scratch: Scratch) -> Iterator[bytes]:
        at = 0
        while at < size:
            scratch.watch()
            got = self._read(entry, part, at, CHUNK)
            if not got:
                raise Failed(Why.UNREADABLE, "the backup ended before its listed size")
            at += len(got)
            scratch.progress("fetch", at / size if not part else None)
            yield got


def _asked(ask: Callable[[], Answer]) -> Answer:
    """What the store answers. Raises Failed."""
    try:
        return ask()
    except Unavailable as failure:
        words = _WHY.get(failure.reason, failure.reason.words)
        raise Failed(Why.UNREADABLE, f"the place of the backups: {words}") from None


def _inside(folder: Path, name: str) -> Path:
    """A file of a folder that no link leads out of."""
    path = folder / name
    if os.path.realpath(path) != os.path.join(os.path.realpath(folder), name):  # noqa: PTH118 - as realpath gives it
        raise Failed(Why.UNREADABLE, "the backup's file is behind a link")
    return path


def _suffix(name: str) -> str:
    """The end of a name, where it is a plain word: some programs go by it."""
    end = Path(name).suffix
    return end if end[1:].isalnum() and end.isascii() else ""
