"""The plan of the queue's statement: bounded whatever the table holds, and whatever its statistics say.

No times are asserted here: `python -m bench.queue` measures, on millions of jobs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from closewatch.odoo.queue import LOOKED, QUERY
from tests.server.odoo.conftest import Odoo

ROWS = 60_000
# A row is about 1 kB, as in life; every 20th job is not done, spread over the table.
FILL = """
INSERT INTO queue_job (uuid, graph_uuid, state, channel, exc_name, kwargs, date_created, date_done)
SELECT n, CASE WHEN n % 7 = 0 THEN (n / 70)::text END,
       CASE WHEN n % 20 <> 0 THEN 'done' ELSE (ARRAY[{states}])[1 + n / 20 % {count}] END, 'root.c' || n % 9, 'Error' || n % 7,
       jsonb_build_object('payload', repeat(md5(n::text), 25)), ago('1 day'), CASE WHEN n % 20 <> 0 THEN ago('1 hour') END
  FROM generate_series(1, {rows}) n
"""
MIXED = ("pending", "failed", "wait_dependencies", "cancelled", "enqueued", "started")

STATISTICS = {
    "analysed": "ANALYZE queue_job",
    "vacuumed": "VACUUM ANALYZE queue_job",
    "never analysed": "SELECT",
    "analysed when it was empty": "SELECT",
    "analysed when all was pending": "SELECT",
}


@pytest.fixture
def queue(odoo: Callable[..., Odoo]) -> Callable[..., Odoo]:
    """Makes a database with a large queue."""

    def make(statistics: str, *states: str) -> Odoo:
        database = odoo("18", queue="2026")
        database.sql("ALTER TABLE queue_job SET (autovacuum_enabled = off)")
        if statistics == "analysed when it was empty":
            database.sql("ANALYZE queue_job")
        names = ", ".join(f"'{state}'" for state in states or MIXED)
        fill = FILL.format(states=names, count=len(states or MIXED), rows=ROWS)
        if statistics == "analysed when all was pending":
            database.sql(
                fill.replace("'done'", "'pending'").replace(f"[{names}]", "['pending']").replace(" % 6]", " % 1]")
            )
            database.sql("ANALYZE queue_job")
            database.sql("TRUNCATE queue_job")
        database.sql(fill)
        database.sql(STATISTICS[statistics])
        return database

    return make


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All nodes of a plan, with what lies below them."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def explained(database: Odoo, number: int = 0) -> dict[str, Any]:
    """The plan that the server carries out for the weak role, with what it cost."""
    with database.server.connect(database.name) as connection:
        connection.execute("SET ROLE closewatch")
        connection.execute("SET search_path = pg_catalog")
        connection.execute("SET jit = on")
        (row,) = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {QUERY[number].sql}".encode()).fetchall()
    return row[0][0] if not isinstance(row[0], str) else json.loads(row[0])[0]


def scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in nodes(plan["Plan"]) if node.get("Relation Name") == "queue_job"]


@pytest.mark.slow
@pytest.mark.parametrize("statistics", STATISTICS)
@pytest.mark.parametrize("states", [MIXED, ("failed",)], ids=["mixed", "failed"])
def test_the_table_is_never_read_through(queue: Callable[..., Odoo], statistics: str, states: tuple[str, ...]):
    plan = explained(queue(statistics, *states))
    found = scans(plan)
    assert len(found) >= 6
    assert {node["Node Type"] for node in found} <= {"Index Scan", "Index Only Scan"}
    assert {node["Index Name"] for node in found} == {
        "queue_job_state_index",
        "queue_job_graph_uuid_index",
        "queue_job_pkey",
    }
    assert "JIT" not in plan, "compiling would take longer than the statement"


@pytest.mark.slow
def test_what_is_looked_at_is_bounded(queue: Callable[..., Odoo]):
    """All jobs failed, which is never cleaned up: still no more rows are visited."""
    database = queue("analysed", "failed")
    database.sql("UPDATE queue_job SET state = 'failed' WHERE state = 'done'; ANALYZE queue_job")
    plan = explained(database)
    visited = sum(
        node["Actual Rows"] * node["Actual Loops"] for node in scans(plan) if node["Node Type"] == "Index Scan"
    )
    assert visited <= 6 * LOOKED + 2_000 + 4_000
    facts = database.ask()
    assert facts.failing == {}
    assert sum(facts.all("odoo_queue_jobs", state="failed")) == 50_000
    assert facts.one("odoo_queue_counts_capped") == 1
    assert facts.one("odoo_queue_count_cap") == 50_000
