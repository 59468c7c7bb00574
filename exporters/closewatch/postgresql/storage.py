"""How much room do WAL and databases take, of how much?

    closewatch_postgresql_wal_size_bytes 1.6e+09
    closewatch_postgresql_storage_limit_bytes 5.36870912e+11

SQL can't see the disk. Where the configuration says how much there is for PostgreSQL (`storage_limit`), rules tell by
the trend when it will be full. `databases` has the other part, the databases themselves.

Rights: pg_monitor, for pg_ls_waldir(). Cost: looks at each file in pg_wal every five minutes, a few microseconds each;
no lock. Source: pg_ls_waldir(), the configuration.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.postgresql.query import Query

WAL_SIZE = Gauge("closewatch_postgresql_wal_size_bytes", "Disk space of the WAL; asked every five minutes.")
LIMIT = Gauge(
    "closewatch_postgresql_storage_limit_bytes",
    "Disk space that there is for databases and WAL, as the configuration says; absent where it doesn't.",
)

EVERY = 300.0

QUERY = Query("SELECT sum(size)::float8 AS wal FROM pg_catalog.pg_ls_waldir()")


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The WAL's size, and the configured limit."""
    yield WAL_SIZE(answer.one()["wal"])
    yield LIMIT(target.settings.storage_limit)


STORAGE = Collector("storage", ask={"main": QUERY}, read=read, families=(WAL_SIZE, LIMIT), every=EVERY, budget=0.5)
