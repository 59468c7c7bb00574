"""What is kept, and how: how many good backups, how far back, with which gaps, encrypted or not, locked or not.

    closewatch_backup_kept{type="full"} 4
    closewatch_backup_oldest_good_timestamp_seconds 1.7950e+09
    closewatch_backup_longest_gap_seconds 86460
    closewatch_backup_usual_duration_seconds{type="full"} 612
    closewatch_backup_encrypted 1
    closewatch_backup_repository_locked_since_timestamp_seconds 1.7953e+09
    closewatch_backup_pair_info{pair="acme-filestore"} 1

The gap is between two good backups that follow each other, of whatever type, among those that were looked into; how
long ago the newest was is another question (`age`). Usual is the median of up to 14 before the newest, once there are
three.

Rights and cost: those of the listing (see `age`). Source: the files themselves; each tool's own account.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from closewatch.backups.judge import State
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target

KEPT = Gauge("closewatch_backup_kept", "Good backups of each type that are there, of those looked into.", ("type",))
OLDEST_GOOD = Gauge(
    "closewatch_backup_oldest_good_timestamp_seconds", "When the oldest good backup, of those looked into, was done."
)
GAP = Gauge(
    "closewatch_backup_longest_gap_seconds",
    "Longest time between two good backups that follow each other; absent with fewer than two.",
)
USUAL_DURATION = Gauge(
    "closewatch_backup_usual_duration_seconds",
    "Median duration of up to 14 good backups of the same type before the newest; absent with fewer than three.",
    ("type",),
)
ENCRYPTED = Gauge(
    "closewatch_backup_encrypted",
    "Whether all good backups, or the whole repository, are encrypted (1) or not (0); absent where not known.",
)
LOCKED = Gauge(
    "closewatch_backup_repository_locked_since_timestamp_seconds",
    "When the oldest lock on the repository was taken; absent without one.",
)
PAIR = Gauge(
    "closewatch_backup_pair_info",
    "The target of kind backups with the filestore, or database, that belongs to this one; always 1.",
    ("pair",),
)
HISTORY, ENOUGH = 14, 3


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """Of the good ones alone."""
    place = answer.one("place")
    good = sorted((row for row in answer.rows() if row["state"] == State.GOOD.value), key=lambda row: row["at"])
    for name, count in Counter(row["type"] for row in good).items():
        yield KEPT(count, type=name)
        yield USUAL_DURATION(_usual([row["seconds"] for row in good if row["type"] == name]), type=name)
    times = [row["at"] for row in good]
    yield OLDEST_GOOD(times[0] if times else None)
    yield GAP(max((later - earlier for earlier, later in pairwise(times)), default=None))
    yield ENCRYPTED(_encrypted(place, good))
    yield LOCKED(place.get("locked"))
    pair = getattr(target.settings, "pair", None)
    if pair is not None:
        yield PAIR(1, pair=pair)


def _usual(seconds: Sequence[float | None]) -> float | None:
    """The newest, which is last, is compared with it, and is no part of it."""
    before = [one for one in seconds[:-1][-HISTORY:] if one is not None]
    return statistics.median(before) if len(before) >= ENOUGH else None


def _encrypted(place: Mapping[str, Any], good: Sequence[Mapping[str, Any]]) -> bool | None:
    if place.get("encrypted") is not None:
        return bool(place["encrypted"])
    said = [row.get("encrypted") for row in good]
    return None if not said or None in said else all(said)


KEEPING = Collector(
    "kept",
    {"main": "the backups", "place": "the place"},
    read,
    (KEPT, OLDEST_GOOD, GAP, USUAL_DURATION, ENCRYPTED, LOCKED, PAIR),
    every=300.0,
    budget=8.0,
)
