"""The plan of the queue's statement: bounded whatever the table holds, and whatever its statistics say.

No times are asserted here: `python -m bench.queue` measures, on millions of jobs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from closewatch.odoo.queue import LOOKED, QUERY
from tests.server.odoo.conftest import Odoo

ROWS = 40_000
# A row is about 1 kB, as in life; every 20th job is in one of the states, spread over the table. What was committed
# without waiting for the disk, VACUUM would not yet take for visible to all.
FILL = """
SET synchronous_commit = on;
INSERT INTO queue_job (uuid, graph_uuid, state, channel, exc_name, kwargs, date_created, date_done)
SELECT n, CASE WHEN n % 7 = 0 THEN (n / 70)::text END,
       CASE WHEN n % 20 <> 0 THEN '{most}' ELSE ('{states}'::text[])[1 + n / 20 % {count}] END,
       'root.c' || n % 9, 'Error' || n % 7, jsonb_build_object('payload', repeat(md5(n::text), 25)),
       ago('1 day'), CASE WHEN n % 20 <> 0 THEN ago('1 hour') END
  FROM generate_series(1, {rows}) n
"""
MIXED = ("pending", "failed", "wait_dependencies", "cancelled", "enqueued", "started")
STATISTICS = ["analysed", "vacuumed", "never analysed", "analysed when it was empty", "analysed when all was pending"]


@pytest.fixture
def queue(odoo: Callable[..., Odoo]) -> Callable[..., Odoo]:
    """Makes a database with a large queue, of which the server believes what its statistics say."""

    def make(statistics: str, states: Sequence[str] = MIXED, most: str = "done") -> Odoo:
        database = odoo("18", queue="2026")
        database.sql("ALTER TABLE queue_job SET (autovacuum_enabled = off)")
        if statistics == "analysed when it was empty":
            database.sql("ANALYZE queue_job")
        if statistics == "analysed when all was pending":
            database.sql(FILL.format(most="pending", states="{pending}", count=1, rows=ROWS))
            database.sql("ANALYZE queue_job; TRUNCATE queue_job CASCADE")
        database.sql(FILL.format(most=most, states="{" + ",".join(states) + "}", count=len(states), rows=ROWS))
        if statistics == "analysed":
            database.sql("ANALYZE queue_job")
        if statistics == "vacuumed":
            database.sql("VACUUM ANALYZE queue_job")
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
def test_the_table_is_never_read_through(queue: Callable[..., Odoo], statistics: str, states: Sequence[str]):
    plan = explained(queue(statistics, states))
    found = scans(plan)
    assert len(found) >= 6
    assert {node["Node Type"] for node in found} <= {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
    assert "JIT" not in plan, "compiling would take longer than the statement"


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(QUERY)))
@pytest.mark.parametrize("state", ["failed", "pending"])
def test_what_is_looked_at_is_bounded(queue: Callable[..., Odoo], state: str, number: int):
    """Nothing but failed jobs, which are never cleaned up, or a backlog: no more rows are visited for that."""
    plan = explained(queue("analysed", most=state), number)
    assert {node["Node Type"] for node in scans(plan)} == {"Index Scan", "Index Only Scan"}
    visited = [node["Actual Rows"] * node["Actual Loops"] for node in scans(plan) if node["Node Type"] == "Index Scan"]
    assert sum(visited) <= 6 * LOOKED + 2 * 1_000 + 4_000


@pytest.mark.slow
@pytest.mark.parametrize(("after", "cap"), [("VACUUM ANALYZE", 50_000), ("ANALYZE", 2_000)])
def test_counts_stop_at_the_cap_and_say_so(queue: Callable[..., Odoo], after: str, cap: int):
    """In a large table that was never vacuumed, to count a job means to visit it."""
    database = queue("never analysed", most="failed")
    database.sql(FILL.format(most="failed", states="{done}", count=1, rows=100_000))
    database.sql(f"{after} queue_job")
    facts = database.ask()
    assert facts.failing == {}
    assert sum(facts.all("odoo_queue_jobs", state="failed")) == cap
    assert facts.one("odoo_queue_counts_capped") == 1
    assert facts.one("odoo_queue_count_cap") == cap
    assert facts.one("odoo_queue_details_capped") == 1
