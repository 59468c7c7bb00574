"""When was the last good backup, and is it as large as it usually is?

    closewatch_backup_last_success_timestamp_seconds{type="dump"} 1.7953e+09
    closewatch_backup_size_bytes{type="dump"} 4.1e+09
    closewatch_backup_usual_size_bytes{type="dump"} 4.0e+09
    closewatch_backup_seen{state="good"} 14
    closewatch_backup_last_failure_timestamp_seconds{reason="truncated"} 1.7952e+09

Good means: of a known format, whole as far as the format shows it, and no longer being written. That a backup can be
restored is not known from this; `verified` is there only where a checksum was really computed. What is usual is the
median of up to 14 backups of the same type before the newest, once there are three. There are no ages: times only,
which stay true while nobody asks.

Rights: to list and read the place (docs/guides/security.md). Cost: a listing, and for each new backup a few ranged
reads. Source: the files themselves; `pgbackrest info`.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from closewatch.backups.judge import State
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target

LAST_SUCCESS = Gauge(
    "closewatch_backup_last_success_timestamp_seconds",
    "When the newest good backup of each type was done; absent while there is none.",
    ("type",),
)
SIZE = Gauge(
    "closewatch_backup_size_bytes",
    "Size of the newest good backup of each type; of pgBackRest's, of the database that it restores.",
    ("type",),
)
USUAL_SIZE = Gauge(
    "closewatch_backup_usual_size_bytes",
    "Median size of up to 14 good backups of the same type before the newest; absent while there are fewer than three.",
    ("type",),
)
DURATION = Gauge(
    "closewatch_backup_duration_seconds", "How long the newest good backup of each type took, where known.", ("type",)
)
VERIFIED = Gauge(
    "closewatch_backup_verified",
    "Whether a check of the newest backup's data passed (1) or not (0); absent where nothing was verified.",
    ("type", "by"),
)
COMPLETENESS_KNOWN = Gauge(
    "closewatch_backup_completeness_known",
    "Whether the newest good backup was seen to be whole (1), or its format doesn't show its end (0).",
    ("type",),
)
LAST_FAILURE = Gauge(
    "closewatch_backup_last_failure_timestamp_seconds",
    "When the newest backup that is not good was made, and why it isn't, as a word of a closed set.",
    ("reason",),
)
SEEN = Gauge(
    "closewatch_backup_seen",
    "Backups in the place: good, bad, unfinished (being written), or unread (older, not looked into).",
    ("state",),
)
OLDEST = Gauge(
    "closewatch_backup_oldest_timestamp_seconds", "When the oldest backup in the place was made, good or not."
)
TRUNCATED = Gauge(
    "closewatch_backup_listing_truncated",
    "Whether the place holds more than could be listed (1): what is newest may not have been seen.",
)
REPOSITORY = Gauge(
    "closewatch_backup_repository_info",
    "What the tool says of the repository's state, as a word of a closed set; always 1.",
    ("status",),
)

EVERY = 300.0
HISTORY = 14
ENOUGH = 3
PAGE_CHECKSUMS = "page_checksums"


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """A row a backup, and one row of the place."""
    rows, place = answer.rows(), answer.one("place")
    for state in State:
        count = sum(row["state"] == state.value for row in rows)
        yield SEEN(count + (place["unread"] if state is State.UNREAD else 0), state=state.value)
    yield TRUNCATED(place["truncated"])
    yield OLDEST(None if place["truncated"] else place["oldest"])
    if place["status"] is not None:
        yield REPOSITORY(1, status=place["status"])
    by_type: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["at"] or 0.0, reverse=True):
        if row["state"] == State.GOOD.value:
            by_type.setdefault(row["type"], []).append(row)
    for name, good in by_type.items():
        yield from _of_type(name, good)
    failed = [row for row in rows if row["state"] == State.BAD.value]
    if failed:
        newest = max(failed, key=lambda row: row["at"])
        yield LAST_FAILURE(newest["at"], reason=newest["reason"])
    yield from _verified(rows)


def _of_type(type: str, good: Sequence[Mapping[str, Any]]) -> Iterable[Sample]:
    """The newest, and what is usual; the newest first."""
    newest = good[0]
    yield LAST_SUCCESS(newest["at"], type=type)
    yield SIZE(newest["size"], type=type)
    yield DURATION(newest["seconds"], type=type)
    yield COMPLETENESS_KNOWN(newest["whole"], type=type)
    before = [row["size"] for row in good[1 : HISTORY + 1] if row["size"] is not None]
    yield USUAL_SIZE(statistics.median(before) if len(before) >= ENOUGH else None, type=type)


def _verified(rows: Sequence[Mapping[str, Any]]) -> Iterable[Sample]:
    """Of the newest of each type, good or not: one that failed its check is the one to hear of."""
    newest: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if row["at"] is not None and row["at"] >= newest.get(row["type"], row)["at"]:
            newest[row["type"]] = row
    for name, row in newest.items():
        yield VERIFIED(row["verified"], type=name, by=row.get("by") or PAGE_CHECKSUMS)


AGE = Collector(
    "age",
    {"main": "the backups", "place": "the place"},
    read,
    (
        LAST_SUCCESS, SIZE, USUAL_SIZE, DURATION, VERIFIED, COMPLETENESS_KNOWN, LAST_FAILURE, SEEN, OLDEST, TRUNCATED,
        REPOSITORY,
    ),
    every=EVERY,
    budget=8.0,
)  # fmt: skip
