"""What is asked of an Odoo database to judge its books; one question each, for Odoo 15 to 19.

All run with the search path set to pg_catalog, so that nothing that lies in the database stands in for a function or an
operator; tables are named with their schema. What only some versions have is put in where it is there. Sums are made by
the server; entries with their hashes come as a stream.
"""

from __future__ import annotations

import string
from collections.abc import Mapping

Columns = Mapping[str, frozenset[str]]
"""Of each table its columns, as far as they can be read."""

TABLES = (
    "ir_module_module", "ir_config_parameter", "res_company", "res_currency", "account_journal", "account_move",
    "account_move_line",
)  # fmt: skip
ODOO = {"ir_module_module": {"name", "state", "latest_version"}}
"""What makes a database one of Odoo's."""
LEDGER = {
    "account_journal": {"id"},
    "res_currency": {"id", "decimal_places"},
    "account_move": {
        "id", "journal_id", "company_id", "sequence_prefix", "sequence_number", "name", "state", "date", "create_date",
        "write_date",
    },
    "account_move_line": {
        "id", "move_id", "company_id", "company_currency_id", "currency_id", "account_id", "partner_id", "name",
        "parent_state", "date", "debit", "credit", "balance",
    },
}  # fmt: skip
"""What its accounting has in every version."""

PREPARE = b"SET LOCAL search_path TO pg_catalog"
SESSION = b"SELECT current_setting('transaction_read_only'), current_setting('transaction_isolation')"
# A view or a foreign table of the name is not what Odoo makes, and would run what somebody else wrote.
COLUMNS = b"""
SELECT c.table_name::text, c.column_name::text
  FROM information_schema.columns c
  JOIN information_schema.tables t USING (table_schema, table_name)
 WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.table_name = ANY (%s)
"""
MODULES = b"""
SELECT name::text, state::text, COALESCE(latest_version, '')::text FROM public.ir_module_module
 WHERE state IN ('installed', 'to install', 'to upgrade', 'to remove') ORDER BY name COLLATE "C" LIMIT 20000
"""
NEUTRALISED = b"SELECT EXISTS (SELECT FROM public.ir_config_parameter WHERE key = 'database.is_neutralized')"
IDENTITY = b"SELECT value::text FROM public.ir_config_parameter WHERE key = 'database.uuid' LIMIT 1"
COMPANIES = b"SELECT count(*) FROM public.res_company"

# A time at the end of time is nobody's, and can't be told as one.
POSTED = b"""
SELECT company_id, count(*), max(id), to_char(max(date) FILTER (WHERE date < '9999-01-01'), 'YYYY-MM-DD'),
       to_char(max(create_date) FILTER (WHERE create_date < '9999-01-01'), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       to_char(max(write_date) FILTER (WHERE write_date < '9999-01-01'), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       count(*) FILTER (WHERE create_date > to_timestamp(%s) AT TIME ZONE 'UTC')
  FROM public.account_move WHERE state = 'posted' GROUP BY company_id ORDER BY company_id
"""
WITHOUT_ITEMS = b"""
SELECT count(*) FROM public.account_move m
 WHERE m.state = 'posted' AND NOT EXISTS (SELECT FROM public.account_move_line l WHERE l.move_id = m.id)
"""
SUMS = b"""
SELECT m.id, max(c.decimal_places),
       sum(COALESCE(l.debit, 0) - COALESCE(l.credit, 0)) AS difference, sum(COALESCE(l.balance, 0)) AS balance,
       max(abs(COALESCE(l.balance, 0) - COALESCE(l.debit, 0) + COALESCE(l.credit, 0))) AS drift,
       count(*) FILTER (WHERE l.parent_state IS DISTINCT FROM m.state OR l.date IS DISTINCT FROM m.date
                           OR l.company_id IS DISTINCT FROM m.company_id) AS strayed
  FROM public.account_move m
  JOIN public.account_move_line l ON l.move_id = m.id
  LEFT JOIN public.res_currency c ON c.id = l.company_currency_id
 WHERE m.state = 'posted'
 GROUP BY m.id
HAVING sum(COALESCE(l.debit, 0) - COALESCE(l.credit, 0)) <> 0 OR sum(COALESCE(l.balance, 0)) <> 0
    OR max(abs(COALESCE(l.balance, 0) - COALESCE(l.debit, 0) + COALESCE(l.credit, 0))) <> 0
    OR bool_or(l.parent_state IS DISTINCT FROM m.state OR l.date IS DISTINCT FROM m.date
               OR l.company_id IS DISTINCT FROM m.company_id)
 ORDER BY m.id
"""
ACCOUNTS = b"""
SELECT m.company_id, l.company_currency_id, max(c.decimal_places), l.account_id,
       sum(COALESCE(l.debit, 0) - COALESCE(l.credit, 0)), sum(COALESCE(l.balance, 0)), count(*)
  FROM public.account_move m
  JOIN public.account_move_line l ON l.move_id = m.id
  LEFT JOIN public.res_currency c ON c.id = l.company_currency_id
 WHERE m.state = 'posted' GROUP BY m.company_id, l.company_currency_id, l.account_id
"""
SEQUENCES = string.Template("""
SELECT journal_id, sequence_prefix::text, min(sequence_number), max(sequence_number), count(DISTINCT sequence_number)
  FROM public.account_move
 WHERE ($held) AND sequence_number > 0 AND sequence_prefix IS NOT NULL AND name <> '/'
 GROUP BY journal_id, sequence_prefix ORDER BY max(id) DESC
""")
NUMBERS = string.Template("""
SELECT sequence_number FROM public.account_move
 WHERE journal_id = %s AND sequence_prefix = %s AND ($held) AND sequence_number > 0 AND name <> '/'
 ORDER BY sequence_number
""")
DUPLICATES = b"""
SELECT max(id) FROM public.account_move WHERE state = 'posted' AND name <> '/'
 GROUP BY journal_id, name HAVING count(*) > 1 ORDER BY max(id) DESC
"""
ENTRIES = string.Template("""
SELECT id, journal_id, company_id, COALESCE(sequence_prefix, '')::text, COALESCE(sequence_number, 0),
       $secured, to_char(date, 'YYYY-MM-DD'), name::text, inalterable_hash::text
  FROM public.account_move
 WHERE inalterable_hash IS NOT NULL AND inalterable_hash <> ''
 ORDER BY journal_id, 6 NULLS LAST, COALESCE(sequence_prefix, '') COLLATE "C", COALESCE(sequence_number, 0), id
""")
LINES = b"""
SELECT l.move_id, l.id, l.debit::float8, l.credit::float8, l.account_id, l.partner_id, l.name::text,
       COALESCE(c.decimal_places, 2)
  FROM public.account_move_line l LEFT JOIN public.res_currency c ON c.id = l.currency_id
 WHERE l.move_id = ANY (%s)
"""
# Posted before the journal was secured: none before it in its sequence has a hash. The others should have one.
UNSECURED = b"""
WITH secured AS (
  SELECT journal_id, sequence_prefix, min(sequence_number) AS since
    FROM public.account_move WHERE inalterable_hash IS NOT NULL AND inalterable_hash <> '' GROUP BY 1, 2
)
SELECT m.id, s.since IS NOT NULL
  FROM public.account_move m
  JOIN public.account_journal j ON j.id = m.journal_id AND j.restrict_mode_hash_table
  LEFT JOIN secured s ON s.journal_id = m.journal_id AND s.sequence_prefix = m.sequence_prefix
                     AND s.since < m.sequence_number
 WHERE m.state = 'posted' AND COALESCE(m.inalterable_hash, '') = '' ORDER BY m.id DESC
"""


def covers(columns: Columns, needed: Mapping[str, set[str]]) -> bool:
    """Whether all that is needed is there."""
    return all(names <= columns.get(table, frozenset()) for table, names in needed.items())


def numbers(template: string.Template, columns: Columns) -> bytes:
    """Of the entries that hold a number: posted or cancelled, and those that were posted and taken back."""
    held = " OR posted_before" if "posted_before" in columns["account_move"] else ""
    return template.substitute(held=f"state IN ('posted', 'cancel'){held}").encode()


def entries(columns: Columns) -> bytes:
    """The secured entries, in the order of their chains."""
    secured = (
        "NULLIF(secure_sequence_number, 0)" if "secure_sequence_number" in columns["account_move"] else "NULL::int"
    )
    return ENTRIES.substitute(secured=secured).encode()
