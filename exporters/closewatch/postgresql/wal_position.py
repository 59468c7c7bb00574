"""Where does the WAL end, and whose WAL is it?

    closewatch_postgresql_wal_position_bytes{system_identifier="7713112814927306417",timeline="1"} 1.50995e+08

A restore test says up to which position it recovered. Where the source still stands there, nothing was written after
it, and nothing would have been lost. A position means something only on its own timeline of its own cluster: both are
labels, of which a cluster has one value at a time. Unlike `closewatch_postgresql_wal_bytes_total` it goes where a
failover takes it.

Rights: none. Cost: reads the control file, 8 kB; no table, no lock. Source: pg_current_wal_insert_lsn(),
pg_control_system(), pg_control_checkpoint().
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.postgresql.query import Query

POSITION = Gauge(
    "closewatch_postgresql_wal_position_bytes",
    "Where the primary's next WAL record begins, in bytes from 0/0.",
    ("system_identifier", "timeline"),
)

# Where the next record begins, not where the last one ends: between the two may lie the header of a page.
QUERY = Query("""
SELECT system_identifier::text AS system_identifier, timeline_id::text AS timeline,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::float8 AS position
  FROM pg_catalog.pg_control_system() CROSS JOIN pg_catalog.pg_control_checkpoint()
""")


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """One row."""
    row = answer.one()
    yield POSITION(row["position"], system_identifier=row["system_identifier"], timeline=row["timeline"])


WAL_POSITION = Collector("wal_position", ask={"main": QUERY}, read=read, families=(POSITION,), budget=0.1)
