"""How often does the server write everything out, and does it take long?

    closewatch_postgresql_checkpoints_total{kind="requested"} 7

Mostly requested instead of timed checkpoints mean that max_wal_size is too small for the load: at month end it is the
write load of the checkpoints that users feel.

Rights: none. Cost: no table, no lock. Source: pg_stat_checkpointer; pg_stat_bgwriter before 17.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Counter, Sample
from closewatch.core.targets import Target
from closewatch.postgresql.counting import total
from closewatch.sources.postgresql.query import Query

CHECKPOINTS_TOTAL = Counter(
    "closewatch_postgresql_checkpoints_total",
    "Checkpoints of the primary: timed by checkpoint_timeout, skipped ones too, or requested, mostly by WAL volume.",
    ("kind",),
)
WRITE_SECONDS = Counter(
    "closewatch_postgresql_checkpoint_write_seconds_total", "Time that checkpoints spent writing, spread on purpose."
)
SYNC_SECONDS = Counter(
    "closewatch_postgresql_checkpoint_sync_seconds_total",
    "Time that checkpoints waited for the disk to have it: growth here is slow storage.",
)

QUERIES = (
    Query(
        """
SELECT num_timed AS timed, num_requested AS requested,
       write_time::float8 / 1000 AS write_seconds, sync_time::float8 / 1000 AS sync_seconds
  FROM pg_catalog.pg_stat_checkpointer
""",
        since=170_000,
    ),
    Query(
        """
SELECT checkpoints_timed AS timed, checkpoints_req AS requested,
       checkpoint_write_time::float8 / 1000 AS write_seconds, checkpoint_sync_time::float8 / 1000 AS sync_seconds
  FROM pg_catalog.pg_stat_bgwriter
""",
        until=170_000,
    ),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The counters under one name, whatever view the version keeps them in."""
    row = answer.one()
    yield CHECKPOINTS_TOTAL(total(memory, answer, "timed", row["timed"]), kind="timed")
    yield CHECKPOINTS_TOTAL(total(memory, answer, "requested", row["requested"]), kind="requested")
    yield WRITE_SECONDS(total(memory, answer, "write", row["write_seconds"]))
    yield SYNC_SECONDS(total(memory, answer, "sync", row["sync_seconds"]))


CHECKPOINTS = Collector(
    "checkpoints", ask={"main": QUERIES}, read=read, families=(CHECKPOINTS_TOTAL, WRITE_SECONDS, SYNC_SECONDS)
)
