"""The plans of the slow lane's statements: no large table is read through, whatever its statistics say.

No times are asserted here. Measured on two cores: 2 million attachments 11 ms; 3 million entries, 30,000 of them
drafts, 2 to 60 ms; half a million mails 6 ms; 300,000 jobs 8 ms.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from closewatch.odoo import finance, growth, jobs, mail
from tests.server.odoo.conftest import Odoo
from tests.server.odoo.test_plan import nodes

LARGE = {"account_move", "ir_attachment", "mail_mail", "queue_job", "res_currency_rate"}
STATEMENTS = {
    "mail": mail.QUERY.sql,
    "bank": finance.BANK.sql,
    "rates": finance.RATES.sql,
    "postings": finance.POSTINGS.sql,
    "durations": jobs.DURATIONS.sql,
    "channels": jobs.CAPACITIES[0].sql,
    "growth": growth.QUERY.sql,
}
FILL = """
INSERT INTO res_currency (name, active) SELECT 'C' || n, true FROM generate_series(1, 20) n;
INSERT INTO res_company (name, currency_id) VALUES ('acme', 1);
INSERT INTO account_journal (code, type, active, company_id)
SELECT 'J', CASE WHEN n % 4 = 0 THEN 'bank' ELSE 'general' END, true, 1 FROM generate_series(1, 20) n;
INSERT INTO res_currency_rate (name, rate, currency_id, company_id)
SELECT current_date - n / 20, 1, 1 + n % 20, 1 FROM generate_series(1, 40000) n;
INSERT INTO account_move (name, ref, date, state, journal_id, company_id, currency_id, statement_line_id, create_date,
                          auto_post)
SELECT 'INV/' || n, repeat('r', 300), current_date - n % 1500, CASE WHEN n % 97 = 0 THEN 'draft' ELSE 'posted' END,
       1 + n % 20, 1, 1 + n % 10, CASE WHEN n % 20 = 3 THEN n END, ago('1 day'),
       CASE WHEN n % 970 = 0 THEN 'at_date' ELSE 'no' END FROM generate_series(1, 60000) n;
INSERT INTO mail_mail (state, body_html, create_date)
SELECT CASE WHEN n % 50 = 0 THEN 'exception' WHEN n % 51 = 0 THEN 'outgoing' ELSE 'sent' END, repeat('b', 400),
       ago('1 day') FROM generate_series(1, 60000) n;
INSERT INTO ir_attachment (name, file_size) SELECT repeat('x', 300), n FROM generate_series(1, 60000) n;
INSERT INTO queue_job (uuid, state, channel, model_name, method_name, kwargs, date_created, date_done, exec_time)
SELECT n, CASE WHEN n % 500 = 0 THEN 'started' ELSE 'done' END, 'root', 'account.move', 'm' || n % 6,
       jsonb_build_object('payload', repeat(md5(n::text), 25)), ago('1 hour'), ago('1 hour'), 1
  FROM generate_series(1, 40000) n;
"""


@pytest.fixture(params=["analysed", "never analysed", "analysed when it was empty"])
def large(odoo: Callable[..., Odoo], request: pytest.FixtureRequest) -> Odoo:
    """A database with many rows, of which the server believes what its statistics say."""
    database = odoo("18", queue="2026", operations=True)
    for table in LARGE:
        database.sql(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    if request.param == "analysed when it was empty":
        database.sql("ANALYZE")
    database.sql(FILL)
    if request.param == "analysed":
        database.sql("ANALYZE")
    return database


def explained(database: Odoo, sql: str) -> dict[str, Any]:
    """The plan that the server carries out for the weak role."""
    with database.server.connect(database.name) as connection:
        connection.execute("SET ROLE closewatch")
        connection.execute("SET search_path = pg_catalog")
        connection.execute("SET jit = on")
        (row,) = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}".encode()).fetchall()
    return row[0][0] if not isinstance(row[0], str) else json.loads(row[0])[0]


@pytest.mark.slow
def test_no_large_table_is_read_through(large: Odoo):
    for name, sql in STATEMENTS.items():
        plan = explained(large, sql)
        scans = [node for node in nodes(plan["Plan"]) if node.get("Relation Name") in LARGE]
        assert scans, name
        kinds = {node["Node Type"] for node in scans}
        allowed = {"Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Sample Scan"}
        assert kinds <= allowed, f"{name}: {kinds}"
        assert "JIT" not in plan, f"{name}: compiling would take longer than the statement"
        looked = sum(node["Actual Rows"] * node["Actual Loops"] for node in scans)
        assert looked <= 25_000, f"{name} looks at {looked} rows"
