"""What the queue's figures cost on a large table: 5 million done jobs, and 50,000 others spread among them.

The table has queue_job's own columns and indexes, and rows of about 1 kB. The statement is asked as closewatch asks it,
on a server with PostgreSQL's default buffers, warm: as the table was filled, then analysed, then vacuumed too, and last
with a million failed jobs more, which queue_job never cleans up.

    python -m bench.queue [--done 5000000] [--others 50000] [--failed 1000000] [--runs 20] [--all] [--dsn DSN]

`--all` takes each version of PostgreSQL at hand instead of the newest one. `--dsn` takes a running server, as a
superuser: the database closewatch_bench is made there, and dropped in the end. About 10 GB of disk, five minutes each.

Exit status 1: more than 100 ms (the median) once the table is analysed, or a plan that reads the table through.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from closewatch.core.deadline import Deadline
from closewatch.engines.binaries import find_postgres
from closewatch.engines.folder import RunFolder
from closewatch.engines.postgres import PostgresServer
from closewatch.odoo.queue import QUERY
from closewatch.sources.address import Address
from closewatch.sources.postgresql.connection import Connection, Statement

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
DATABASE = "closewatch_bench"
LIMIT = 0.1
OTHERS = (*["pending"] * 4, *["failed"] * 4, "wait_dependencies", "cancelled")
STEP = 250_000

# Of {every} jobs one is in one of the states, in turns.
FILL = """
INSERT INTO queue_job (user_id, company_id, priority, retry, max_retries, uuid, graph_uuid, name, model_name,
    method_name, func_string, state, exc_name, channel, records, args, kwargs, dependencies, date_created,
    date_enqueued, date_started, date_done, eta, exec_time)
SELECT 1, 1, 10, 0, 5, md5(n::text), CASE WHEN n % 7 = 0 THEN md5((n / 70)::text) END, 'job ' || n, 'account.move',
       'post', 'account.move(1,).post()', state, CASE state WHEN 'failed' THEN 'odoo.exceptions.E' || n / 100 % 9 END,
       'root.c' || n / 100 % 7, '{{"_type": "odoo_recordset", "model": "account.move", "ids": [1], "uid": 1}}', '[]',
       jsonb_build_object('payload', repeat(md5(n::text), 17)), '{{"depends_on": [], "reverse_depends_on": []}}',
       at, at, at, CASE state WHEN 'done' THEN at + interval '3 s' END,
       CASE WHEN n % 3 = 0 THEN at + interval '1 h' END, 1
  FROM (SELECT n, (now() AT TIME ZONE 'UTC') - ({last} - n) * interval '0.8 s' AS at,
               CASE WHEN n % {every} <> 0 THEN 'done'
                    ELSE ('{{{states}}}'::text[])[1 + n / {every} % {count}] END AS state
          FROM generate_series({first}, {last}) n) job
"""


@dataclass
class Place:
    """The database to measure in, and what server it is on."""

    info: dict[str, Any]
    words: str = ""

    def connect(self, database: str = DATABASE) -> psycopg.Connection[tuple[Any, ...]]:
        """A session of the administrator."""
        return psycopg.connect(make_conninfo(**{**self.info, "dbname": database}), autocommit=True)

    def session(self) -> Connection:
        """A session as closewatch opens it."""
        parameters = {name: str(value) for name, value in self.info.items() if name in {"user", "password"}}
        address = Address(str(self.info.get("host", "127.0.0.1")), int(self.info.get("port", 5432)))
        return Connection.open(address, {**parameters, "dbname": DATABASE}, Deadline.after(10))


@contextmanager
def database(info: dict[str, Any]) -> Iterator[Place]:
    """The table, empty, in a database of its own."""
    place = Place(info)
    with place.connect(str(info.get("dbname", "postgres"))) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE}".encode())
        admin.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0".encode())
        ((version, buffers),) = admin.execute("SELECT version(), current_setting('shared_buffers')").fetchall()
        place.words = f"{' '.join(version.split()[:2])}, shared_buffers {buffers}"
        try:
            with place.connect() as connection:
                for layout in ("2024", "2026"):
                    connection.execute((DATA / f"odoo_queue_job_{layout}.sql").read_bytes())
                connection.execute("ALTER TABLE queue_job SET (autovacuum_enabled = off)")
            yield place
        finally:
            admin.execute(f"DROP DATABASE IF EXISTS {DATABASE}".encode())


def fill(place: Place, jobs: int, every: int, states: Sequence[str]) -> None:
    """So many more jobs, of which one of `every` is in one of the states, and the others are done."""
    with place.connect() as connection:
        connection.execute("SET synchronous_commit = on")
        ((start,),) = connection.execute("SELECT coalesce(max(id), 0) FROM queue_job").fetchall()
        for first in range(start + 1, start + jobs + 1, STEP):
            numbers = {
                "first": first,
                "last": min(first + STEP - 1, start + jobs),
                "every": every,
                "count": len(states),
            }
            connection.execute(FILL.format(states=",".join(states), **numbers).encode())


def measure(place: Place, runs: int) -> tuple[list[float], list[dict[str, Any]]]:
    """Seconds of each run, once it is warm, and what the last one answered. Each has its own session, as in life."""
    taken: list[float] = []
    rows: list[dict[str, Any]] = []
    for _ in range(runs + 3):
        session = place.session()
        try:
            start = time.perf_counter()
            (outcome,) = session.batch([Statement(QUERY[0].sql, 60.0)], Deadline.after(90))
            taken.append(time.perf_counter() - start)
        finally:
            session.close()
        if outcome.failure is not None:
            raise outcome.failure
        rows = outcome.rows
    return taken[3:], rows


def sequential(place: Place) -> int:
    """How often the plan reads queue_job through."""
    with place.connect() as connection:
        plan = connection.execute(f"EXPLAIN {QUERY[0].sql}".encode()).fetchall()
    return sum("Seq Scan on queue_job " in line for (line,) in plan)


def report(place: Place, case: str, runs: int, *, limited: bool = True) -> bool:
    """Measure and print a line. True where it is as it should be."""
    seconds, rows = measure(place, runs)
    middle, worst = statistics.median(seconds), max(seconds)
    through = sequential(place)
    counted = sum(row["value"] for row in rows if row["kind"] == "state")
    well = not through and (middle <= LIMIT or not limited)
    print(
        f"{case:32} {middle * 1000:9.1f} {worst * 1000:8.1f} {through:9} {counted:10.0f}{'' if well else '  TOO MUCH'}"
    )
    return well


def run(info: dict[str, Any], options: argparse.Namespace) -> bool:
    """All cases on one server."""
    with database(info) as place:
        start = time.perf_counter()
        jobs = options.done + options.others
        fill(place, jobs, max(2, jobs // max(1, options.others)), OTHERS)
        with place.connect() as connection:
            ((size,),) = connection.execute("SELECT pg_size_pretty(pg_table_size('queue_job'))").fetchall()
        print(f"\n{place.words}; {jobs} jobs, {size}, filled in {time.perf_counter() - start:.0f} s")
        print(f"{'the table is':32} {'median ms':>9} {'worst ms':>8} {'seq scans':>9} {'counted':>10}")
        well = report(place, "as it was filled", options.runs, limited=False)
        for statement, case in (("ANALYZE", "analysed"), ("VACUUM ANALYZE", "vacuumed and analysed")):
            with place.connect() as connection:
                connection.execute(f"{statement} queue_job".encode())
            well = report(place, case, options.runs) and well
        if options.failed:
            fill(place, options.failed, 1, ["failed"])
            with place.connect() as connection:
                connection.execute("VACUUM ANALYZE queue_job")
            well = report(place, f"and {options.failed} failed more", options.runs) and well
        return well


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--done", type=int, default=5_000_000)
    parser.add_argument("--others", type=int, default=50_000)
    parser.add_argument("--failed", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--all", action="store_true", help="each version of PostgreSQL at hand, not only the newest")
    parser.add_argument("--dsn", help="a running server instead; a database is made there and dropped")
    options = parser.parse_args()
    if options.dsn:
        return 0 if run(conninfo_to_dict(options.dsn), options) else 1
    well = True
    for binaries in find_postgres() if options.all else find_postgres()[-1:]:
        with RunFolder() as folder:
            settings = {"max_wal_size": "8GB", "shared_buffers": "128MB"}
            server = PostgresServer.create(folder, binaries, "queue", settings).start()
            well = run(conninfo_to_dict(server.dsn()), options) and well
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
