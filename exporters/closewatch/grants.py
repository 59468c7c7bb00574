"""Which grants a PostgreSQL role lacks for what is asked of it, as SQL to paste."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from closewatch import odoo
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.scrape import Scrape
from closewatch.odoo.settings import OdooTarget
from closewatch.postgresql.settings import PostgresqlTarget
from closewatch.sources.postgresql.access import Access
from closewatch.sources.postgresql.batch import COLUMNS, UNREADABLE, readable_columns
from closewatch.sources.postgresql.cluster import Cluster, Database
from closewatch.sources.postgresql.connection import Connection, Statement

RIGHTS = """
SELECT pg_catalog.pg_has_role(current_user, 'pg_monitor', 'USAGE') AS monitor,
       pg_catalog.has_function_privilege('pg_catalog.pg_hba_file_rules()', 'EXECUTE') AS access_rules,
       (SELECT n.nspname::text
          FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'pg_stat_statements'
           AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')) AS statements_schema
"""


def missing_grants(scrape: Scrape) -> dict[str, list[str]]:
    """The SQL that would give the role what it lacks for this target, by the database (an identifier) to run it in."""
    source = scrape.source
    if not isinstance(source, Cluster | Database):
        return {}
    access, settings = source.access, scrape.target.settings
    database = settings.database
    why = scrape.status.down if scrape.status else None
    if why is not None and why.reason is Reason.PERMISSION:
        return {quoted(database): [f"GRANT CONNECT ON DATABASE {quoted(database)} TO {quoted(access.user)};"]}
    connection = _open(access, database)
    if connection is None:
        return {}
    try:
        if isinstance(settings, OdooTarget):
            statements = _column_grants(connection, odoo.GRANTS, access.user)
        else:
            statements = _server_grants(connection, settings, access.user)
    finally:
        connection.close()
    return {quoted(database): statements} if statements else {}


def _open(access: Access, database: str) -> Connection | None:
    for address in access.in_order():
        try:
            return access.open(address, database, Deadline.after(5))
        except Unavailable:
            continue
    return None


def _server_grants(connection: Connection, settings: PostgresqlTarget, user: str) -> list[str]:
    outcome = connection.batch([Statement(RIGHTS, 1.0)], Deadline.after(5))[0]
    if outcome.failure is not None:
        return []
    has, statements = outcome.rows[0], []
    if not has["monitor"]:
        statements.append(f"GRANT pg_monitor TO {quoted(user)};")
    if settings.access.hba and not has["access_rules"]:
        statements.append(f"GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO {quoted(user)};")
    if settings.statements and has["statements_schema"]:
        statements.append(f"GRANT USAGE ON SCHEMA {quoted(has['statements_schema'])} TO {quoted(user)};")
    return statements


def _column_grants(connection: Connection, needed: Mapping[str, Sequence[str]], user: str) -> list[str]:
    tables = ", ".join(f"'{table}'" for table in needed)
    outcome = connection.batch([Statement(COLUMNS.format(tables=tables), 1.0)], Deadline.after(5))[0]
    found = readable_columns(outcome.rows)
    statements = []
    for table, columns in needed.items():
        lacking = [column for column in columns if f"{UNREADABLE}{table}.{column}" in found]
        if lacking:
            listed = ", ".join(quoted(column) for column in lacking)
            statements.append(f"GRANT SELECT ({listed}) ON public.{quoted(table)} TO {quoted(user)};")
    return statements


def quoted(name: str) -> str:
    """A name as an SQL identifier: bare where that is safe."""
    if name.isascii() and name.islower() and name.replace("_", "a").isalnum() and not name[0].isdigit():
        return name
    return '"' + name.replace('"', '""') + '"'
