"""How large is each database?

    closewatch_postgresql_database_size_bytes{database="odoo_acme"} 4.2e+10

The 500 largest by name; the rest summed under "other". Asked every five minutes, for it is dear.

Rights: pg_monitor, or CONNECT on every database. Cost: the server looks at every file of every database. No lock on
tables. Source: pg_database_size().
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.query import Query

SIZE = Gauge(
    "closewatch_postgresql_database_size_bytes",
    'Disk space of each database, the 500 largest by name and the rest together as "other"; asked every five minutes.',
    ("database",),
)

LARGEST = 500
OTHER = "other"

# pg_database_size raises for a database that is gone; the privilege function gives NULL for it, so it goes first. It is
# asked about a weak role, whichever: for a superuser it doesn't look (18).
QUERY = Query("""
SELECT datname::text AS database,
       CASE WHEN pg_catalog.has_database_privilege('pg_monitor', oid, 'CONNECT') IS NOT NULL
            THEN pg_catalog.pg_database_size(oid)::float8 END AS size
  FROM pg_catalog.pg_database
""")


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The largest by name, the rest together."""
    known = [row for row in answer.rows() if row["size"] is not None]
    known.sort(key=lambda row: (-row["size"], row["database"]))
    # Added up, because two names may be one label: a database named "other", or bytes that are no valid text.
    sizes: dict[str, float] = {}
    for place, row in enumerate(known):
        name = row["database"] if place < LARGEST else OTHER
        sizes[name] = sizes.get(name, 0.0) + row["size"]
    for name, size in sizes.items():
        yield SIZE(size, database=name)


DATABASES = Collector("databases", ask={"main": QUERY}, read=read, families=(SIZE,), every=300, budget=3.0)
