"""Has the server read a page that is not what it wrote, and would it notice?

    closewatch_postgresql_checksums_enabled 1
    closewatch_postgresql_checksum_failures_total 0

Where checksums are off there is no count at all: a zero would say that nothing is broken, and nobody has looked. The
count is the server's own, not smoothed over a failover as others are: what the new primary has on record is news.

Rights: none. Cost: one row a database from shared memory. Source: pg_stat_database, with the row of the shared
objects.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Counter, Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.postgresql.query import Query

ENABLED = Gauge(
    "closewatch_postgresql_checksums_enabled",
    "Whether the primary checks each page that it reads (1) or would not notice a damaged one (0).",
)
FAILURES = Counter(
    "closewatch_postgresql_checksum_failures_total",
    "Pages that were not what had been written, in all databases and shared objects; absent where checksums are off.",
)
LAST_FAILURE = Gauge(
    "closewatch_postgresql_checksum_last_failure_timestamp_seconds",
    "When a damaged page was last read; absent if never.",
)

# "on" alone is on: while a later version is still switching them, pages without a checksum are not checked.
QUERY = Query("""
SELECT pg_catalog.current_setting('data_checksums') = 'on' AS enabled,
       sum(checksum_failures)::float8 AS failures,
       extract(epoch FROM max(checksum_last_failure))::float8 AS last_failure
  FROM pg_catalog.pg_stat_database
""")


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """Whether anybody looks, and what was found; no zero where nobody looks."""
    row = answer.one()
    yield ENABLED(row["enabled"])
    if row["enabled"]:
        yield FAILURES(row["failures"])
        yield LAST_FAILURE(row["last_failure"])


CHECKSUMS = Collector("checksums", ask={"main": QUERY}, read=read, families=(ENABLED, FAILURES, LAST_FAILURE))
