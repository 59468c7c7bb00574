"""A folder or bucket with backups, as a source: lists it, looks into the newest files, and says what each of them is.

Looking is dear, and is done once for a file that stays as it is: by name, size and date (or the bucket's tag). The
newest come first; what a look doesn't get to is counted as unread, and looked at the next time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from closewatch.backups import formats
from closewatch.backups.found import Found, Type
from closewatch.backups.judge import State, beside, judge, under_way
from closewatch.backups.rows import Tables, place, row
from closewatch.core.collectors import Answer, Collector
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.source import Outcome, Reply
from closewatch.sources.aside import Aside
from closewatch.sources.store import TOC, Entry, Gone, Listing, Store

log = structlog.get_logger(__name__)

NEWEST = 40
"""So many are looked into and judged."""
NEW_AT_ONCE = 16
"""So many files are opened in one look."""
LONGEST = 8.0
RESERVE = 1.0
"""Seconds before the deadline at which no further file is opened."""
SPARE = 0.3
"""Seconds kept back, so that the answer is in time."""
AGAIN = 60.0
"""Seconds after which a place that couldn't be asked is asked again."""


def inspect(store: Store, entry: Entry, deadline: Deadline, *, filestore: bool) -> Found:
    """What the content of a file, or of a directory dump, says. Raises Gone, Unavailable."""
    if not entry.parts:
        return formats.inspect(_reading(store, entry, "", entry.size, deadline), entry.size, filestore=filestore)
    size = entry.parts.get(TOC, 0)
    return formats.inspect_folder(_reading(store, entry, TOC, size, deadline), size, entry.parts)


def _reading(store: Store, entry: Entry, part: str, size: int, deadline: Deadline) -> Callable[[int, int], bytes]:
    """Reads within the file, wherever its content says that more is."""

    def read(start: int, length: int) -> bytes:
        inside = min(length, size - start)
        return store.read(entry, part, start, inside, deadline) if inside > 0 else b""

    return read


class Place:
    """Asks aside, in a thread of its own; what went wrong is said again until it is asked anew."""

    def __init__(self, look: Callable[[Deadline], Tables], close: Callable[[], None], name: str) -> None:
        self._look = look
        self._close = close
        self._aside = Aside(name)
        self._down: Unavailable | None = None
        self._not_before = 0.0

    def ask(self, collectors: Sequence[Collector], deadline: Deadline) -> Reply:
        """One look for all collectors; none where none is due."""
        began = time.monotonic()
        if not collectors or (self._down is not None and began < self._not_before):
            return Reply({}, self._down)
        asked_at = time.time()
        until = Deadline(deadline.at - SPARE).sooner(LONGEST)
        try:
            tables = self._aside.run(lambda: self._look(until), until)
        except Unavailable as failure:
            return self._failed(failure)
        except Exception:
            log.exception("look_failed")
            return self._failed(Unavailable(Reason.ERROR))
        self._down = None
        outcome = Outcome([Answer(tables, asked_at=asked_at)], seconds=time.monotonic() - began)
        return Reply({collector.name: outcome for collector in collectors})

    def _failed(self, failure: Unavailable) -> Reply:
        self._down, self._not_before = failure, time.monotonic() + AGAIN
        return Reply({}, failure)

    def close(self) -> None:
        """Let go of what is held."""
        self._close()


class Files:
    """Looks at a store's files. `settle` is how long a file must not have changed to count as done, in seconds."""

    def __init__(self, store: Store, *, opaque: bool, filestore: bool, settle: float) -> None:
        self.store = store
        self._opaque = opaque
        self._filestore = filestore
        self._settle = settle
        self._looked: dict[str, tuple[str, Found]] = {}
        self._tags: dict[str, str] = {}

    def look(self, deadline: Deadline) -> Tables:
        """The tables `main` (a row a backup) and `place` (one row). Raises Unavailable."""
        listing = self.store.list(deadline)
        now = time.time()
        entries = [entry for entry in listing.entries if not beside(entry.name)]
        rows, looked = [], {}
        left = NEW_AT_ONCE
        for entry in entries[:NEWEST]:
            known = self._looked.get(entry.name)
            if known is None or known[0] != entry.tag:
                if not left or deadline.left() < RESERVE:
                    continue
                left -= self._must_open(entry)
                try:
                    known = (entry.tag, self._inspect(entry, deadline))
                except Gone:
                    continue
            looked[entry.name] = known
            rows.append(self._row(entry, known[1], now))
        if entries and not rows:
            raise Unavailable(Reason.TIMEOUT, f"{self.store.where} was listed, and no file of it could be read in time")
        self._looked = looked
        self._tags = {entry.name: entry.tag for entry in entries}
        return {"main": rows, "place": [self._place(listing, len(rows), len(listing.entries) - len(entries))]}

    def _place(self, listing: Listing, looked: int, beside_them: int) -> Mapping[str, Any]:
        unread = max(0, listing.total - looked - beside_them)
        return place((), truncated=listing.truncated, unread=unread, oldest=listing.oldest)

    def _must_open(self, entry: Entry) -> bool:
        return not (self._opaque or under_way(entry.name) or not entry.readable)

    def found(self, entry: Entry, deadline: Deadline) -> Found:
        """What the content of one file says."""
        return self._inspect(entry, deadline)

    def _inspect(self, entry: Entry, deadline: Deadline) -> Found:
        if not self._must_open(entry):
            return formats.unopened(entry.size) if not under_way(entry.name) else Found()
        return inspect(self.store, entry, deadline, filestore=self._filestore)

    def _row(self, entry: Entry, found: Found, now: float) -> Mapping[str, Any]:
        changed = self._tags.get(entry.name, entry.tag) != entry.tag
        moving = not self.store.atomic and (changed or now - entry.modified < self._settle)
        verdict = judge(entry, found, now, moving=moving)
        whole = found.whole is True if verdict.state is State.GOOD else None
        return row(
            found.type or Type.OPAQUE, verdict.at, verdict.reason, state=verdict.state, size=entry.size, whole=whole,
            encrypted=found.encrypted,
        )  # fmt: skip
