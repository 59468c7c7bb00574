"""How far is the server from refusing writes because transaction numbers ran out?

    closewatch_postgresql_xid_age_transactions 1.31e+08

Autovacuum freezes from freeze_max_age on; about 3 million before 2^31 (2,147,483,648) the server stops accepting
writes. The worst of all databases decides, template0 and those that allow no connection included. Not an invalid one,
left behind by an interrupted DROP DATABASE (datconnlimit -2): the server itself leaves it out of this reckoning.

Rights: none. Cost: one pass over pg_database, no lock but the catalog's. Source: pg_database.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.postgresql.query import Query

XID_AGE = Gauge(
    "closewatch_postgresql_xid_age_transactions",
    "Transactions since the oldest one that is not frozen, in the worst of all databases; writes stop before 2^31.",
)
MULTIXACT_AGE = Gauge(
    "closewatch_postgresql_multixact_age_transactions",
    "Multixacts since the oldest one that is still needed, in the worst of all databases; writes stop before 2^31.",
)
FREEZE_MAX_AGE = Gauge(
    "closewatch_postgresql_freeze_max_age_transactions",
    "The age from which autovacuum freezes without being asked (autovacuum_freeze_max_age).",
)

QUERY = Query("""
SELECT max(pg_catalog.age(datfrozenxid)) AS xid_age, max(pg_catalog.mxid_age(datminmxid)) AS multixact_age,
       pg_catalog.current_setting('autovacuum_freeze_max_age')::float8 AS freeze_max_age
  FROM pg_catalog.pg_database
 WHERE datconnlimit <> -2
""")


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The worst of all databases, and the age at which autovacuum acts."""
    row = answer.one()
    yield XID_AGE(row["xid_age"])
    yield MULTIXACT_AGE(row["multixact_age"])
    yield FREEZE_MAX_AGE(row["freeze_max_age"])


WRAPAROUND = Collector("wraparound", ask={"main": QUERY}, read=read, families=(XID_AGE, MULTIXACT_AGE, FREEZE_MAX_AGE))
