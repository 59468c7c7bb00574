"""To which moments can the cluster be brought back, and is any WAL missing for it?

    closewatch_backup_recoverable_from_timestamp_seconds 1.7950e+09
    closewatch_backup_recoverable_until_timestamp_seconds 1.7953e+09
    closewatch_backup_wal_missing_segments 0

Any moment between the two times can be restored, as far as the source can tell: where it shows each segment of WAL,
without a hole. It ends when the last segment was archived; what a slow archiver holds back is newer. Where no time of
a segment is known (WAL-G, CloudNativePG, Barman without its folder of WAL), `until` is absent: the time of the newest
base backup would look like an archive that stands still since then.

Rights and cost: those of the listing (see `age`). Source: names of WAL segments, and what each tool says of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target

FROM = Gauge(
    "closewatch_backup_recoverable_from_timestamp_seconds",
    "Oldest moment to which the cluster can be brought back; absent where the source has no WAL.",
)
UNTIL = Gauge(
    "closewatch_backup_recoverable_until_timestamp_seconds",
    "Newest moment to which the cluster can be brought back; absent where the source shows no times of WAL.",
)
MISSING = Gauge(
    "closewatch_backup_wal_missing_segments",
    "Segments of WAL that are missing between the oldest base backup and the newest WAL; absent where not known.",
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The place's own row."""
    place = answer.one("place")
    yield FROM(place.get("since"))
    yield UNTIL(place.get("until"))
    yield MISSING(place.get("missing"))


WINDOW = Collector(
    "window", {"place": "the place"}, read, (FROM, UNTIL, MISSING), every=300.0, budget=8.0
)  # fmt: skip
