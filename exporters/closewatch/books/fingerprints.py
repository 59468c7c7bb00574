"""Are these the books that were backed up? Figures recorded then, against those found in what came back.

Recorded when a backup was taken, the figures are the least that it must hold: later entries may have come before it was
done. So more is no contradiction, less is, and so is another hash where one was recorded.

    figures = {"identity": …, "series": …, "posted": {company: entries}, "newest_created": …, "newest_written": …,
               "trial": digest, "heads": [[journal, prefix, place, hash], …], "highest": [[journal, prefix, number], …]}
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from closewatch.books.chain import Chain, Entry
from closewatch.books.numbering import Sequence as Numbers

Place = tuple[int, str | None, int]
"""A journal, a prefix (None where it is the journal's own counter), and the number within it."""
MOST = 1000
"""Heads and sequences that are kept: the newest."""
_HASH = re.compile(r"(\$[0-9]{1,3}\$)?[0-9a-f]{64}")
_LONGEST = 64


def heads(chains: Iterable[Chain]) -> list[list[Any]]:
    """The end of each chain, those with the newest entries if there are too many."""
    ends = sorted((each.head for each in chains if each.head is not None), key=lambda entry: -entry.id)[:MOST]
    return [[*_named(entry), shown(entry.hash)] for entry in ends]


def highest(sequences: Iterable[Numbers]) -> list[list[Any]]:
    """The highest number of each sequence, in the order given."""
    return [[each.journal, short(each.prefix), each.highest] for each in list(sequences)[:MOST]]


def shown(stored: str) -> str:
    """A stored hash; of what doesn't look like one, a digest, as a table may hold any text."""
    return stored if _HASH.fullmatch(stored) else "other:" + hashlib.sha256(stored.encode()).hexdigest()


def short(prefix: str) -> str:
    """A prefix; of a long one its beginning and a digest."""
    if len(prefix) <= _LONGEST:
        return prefix
    return f"{prefix[:_LONGEST]}…{hashlib.sha256(prefix.encode()).hexdigest()[:16]}"


def _named(entry: Entry) -> Place:
    journal, prefix = entry.chain
    return journal, None if prefix is None else short(prefix), entry.place


class Anchors:
    """Listens to the entries of a walk for those whose hash was recorded."""

    def __init__(self, figures: Mapping[str, Any]) -> None:
        self._wanted = {(head[0], head[1], head[2]) for head in figures.get("heads", ())}
        self.found: dict[Place, str] = {}

    def listen(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The same entries."""
        for entry in entries:
            place = _named(entry)
            if place in self._wanted:
                self.found[place] = shown(entry.hash)
            yield entry


def compare(before: Mapping[str, Any], now: Mapping[str, Any], anchors: Anchors | None = None) -> list[str]:
    """What contradicts the figures recorded before; empty where nothing does. In our own words, without any name.

    `anchors` were made of `before` and listened to the walk that gave `now`: without them, a hash can be compared only
    where its chain has not grown since.
    """
    other = [
        f"the {what} is another than recorded"
        for key, what in (("identity", "database's identity"), ("series", "series of Odoo"))
        if before.get(key) is not None and before[key] != now.get(key)
    ]
    return [
        *other, *_entries(before, now), *_chains(before, now, anchors), *_numbers(before, now), *_trial(before, now)
    ]  # fmt: skip


def _entries(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    posted = now.get("posted") or {}
    for company, count in (before.get("posted") or {}).items():
        if posted.get(company, 0) < count:
            yield f"company {company} has {posted.get(company, 0)} posted entries, fewer than the {count} recorded"
    for key, what in (("newest_created", "created"), ("newest_written", "changed")):
        if before.get(key) is not None and (now.get(key) or "") < before[key]:
            yield f"the newest posted entry was {what} before the newest one recorded"


def _chains(before: Mapping[str, Any], now: Mapping[str, Any], anchors: Anchors | None) -> Iterator[str]:
    ends = {(head[0], head[1]): (head[2], head[3]) for head in now.get("heads", ())}
    for journal, prefix, place, stored in before.get("heads", ()):
        end = ends.get((journal, prefix))
        if end is None:
            if len(ends) < MOST:
                yield f"a secured sequence of journal {journal} is gone"
        elif end[0] < place:
            yield f"a secured sequence of journal {journal} ends at {end[0]}, before the {place} recorded"
        elif end[0] == place and end[1] != stored:
            yield f"a secured sequence of journal {journal} has another hash at {place} than recorded"
        elif end[0] > place and anchors is not None and anchors.found.get((journal, prefix, place)) != stored:
            yield f"a secured sequence of journal {journal} no longer has the hash that was recorded at {place}"


def _numbers(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    found: Sequence[Any] = now.get("highest", ())
    reached = {(journal, prefix): number for journal, prefix, number in found}
    for journal, prefix, number in before.get("highest", ()):
        if (journal, prefix) not in reached:
            if len(found) < MOST:
                yield f"a sequence of journal {journal} that reached {number} is gone"
        elif reached[journal, prefix] < number:
            yield f"a sequence of journal {journal} ends at {reached[journal, prefix]}, below the {number} recorded"


def _trial(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Only where nothing was posted or changed in between must the accounts be the same."""
    same = all(before.get(key) == now.get(key) for key in ("posted", "newest_created", "newest_written"))
    if same and before.get("trial") is not None and before["trial"] != now.get("trial"):
        yield "the accounts have other sums than recorded, though no entry came or changed"
