"""Which version runs, and since when?

    closewatch_postgresql_info{version="17.10"} 1
    closewatch_postgresql_start_timestamp_seconds 1.7324e+09

Rights: none. Cost: reads no table. Source: server_version, pg_postmaster_start_time().
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.postgresql.query import Query

INFO = Gauge("closewatch_postgresql_info", "The version that the primary runs; always 1.", ("version",))
START = Gauge("closewatch_postgresql_start_timestamp_seconds", "When the primary's server process was started.")

# Packagers add their own words to the version: "15.18 (Debian 15.18-0+deb12u1)".
QUERY = Query("""
SELECT pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1) AS version,
       extract(epoch FROM pg_catalog.pg_postmaster_start_time())::float8 AS started
""")


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """One row: the version's number as the label, and when the server started."""
    row = answer.one()
    yield INFO(1, version=row["version"])
    yield START(row["started"])


SERVER = Collector("server", ask={"main": QUERY}, read=read, families=(INFO, START))
