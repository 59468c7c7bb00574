"""How large is each database?

    closewatch_postgresql_database_size_bytes{database="odoo_acme"} 4.2e+10
    closewatch_postgresql_databases_size_bytes 9.7e+10

The server looks at every file of a database for this: 5 ms for one with Odoo's tables, seconds for hundreds of them.
So it is asked every five minutes and stops after 2 s. A third of the databases has its turn first each time, and what
was not reached keeps its size from before, for 20 minutes at most. Shown are the 500 largest by name, and the rest
together as "other".

Rights: pg_monitor, or CONNECT on every database. Cost: 2 s of looking at files. No lock. Source: pg_database_size().
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.postgresql.query import Query

SIZE = Gauge(
    "closewatch_postgresql_database_size_bytes",
    'Disk space of each database, the 500 largest by name and the rest together as "other"; asked every five minutes.',
    ("database",),
)

TOTAL = Gauge(
    "closewatch_postgresql_databases_size_bytes",
    "Disk space of all databases together; absent while the size of any is not known.",
)

EVERY = 300.0
KEPT = 4 * EVERY
LARGEST = 500
OTHER = "other"

# pg_database_size raises for a database that is gone; the privilege function gives NULL for it, so it goes first. It is
# asked about a weak role, whichever: for a superuser it doesn't look (18). In a database without an encoding, a name
# that is no valid text would fail the whole query; there its bytes are written as \351.
QUERY = Query("""
SELECT id, CASE WHEN pg_catalog.getdatabaseencoding() = 'SQL_ASCII'
                THEN pg_catalog.encode(pg_catalog.convert_to(name::text, 'SQL_ASCII'), 'escape')
                ELSE name::text END AS database,
       CASE WHEN pg_catalog.clock_timestamp() < pg_catalog.statement_timestamp() + interval '2 s'
             AND pg_catalog.has_database_privilege('pg_monitor', oid, 'CONNECT') IS NOT NULL
            THEN pg_catalog.pg_database_size(oid)::float8 END AS size
  FROM (SELECT oid, oid::bigint AS id, datname AS name
          FROM pg_catalog.pg_database
         ORDER BY (oid::bigint + floor(extract(epoch FROM pg_catalog.statement_timestamp()) / 300)::bigint) % 3,
                  pg_catalog.random()
        OFFSET 0) AS in_turn
""")


class _Size(NamedTuple):
    at: float
    bytes: float


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The largest by name, the rest together."""
    known: dict[int, _Size] = memory.get("sizes", {})
    sizes: dict[int, _Size] = {}
    names: dict[int, str] = {}
    for row in answer.rows():
        oid = row["id"]
        names[oid] = row["database"]
        if row["size"] is not None:
            sizes[oid] = _Size(answer.asked_at, row["size"])
        elif oid in known and answer.asked_at - known[oid].at <= KEPT:
            sizes[oid] = known[oid]
    memory["sizes"] = sizes
    # Added up, because two names may be one label: a database named "other", or bytes that are no valid text.
    shown: dict[str, float] = {}
    for place, oid in enumerate(sorted(sizes, key=lambda oid: sizes[oid].bytes, reverse=True)):
        label = names[oid] if place < LARGEST else OTHER
        shown[label] = shown.get(label, 0.0) + sizes[oid].bytes
    for label, size in shown.items():
        yield SIZE(size, database=label)
    # A part that looks like all of it would be read as a fall, and the rest, when it comes, as growth.
    yield TOTAL(sum(size.bytes for size in sizes.values()) if len(sizes) == len(names) else None)


DATABASES = Collector("databases", ask={"main": QUERY}, read=read, families=(SIZE, TOTAL), every=EVERY, budget=3.0)
