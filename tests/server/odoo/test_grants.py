"""grants.sql, run by psql as a user runs it: what the role may read, and above all what it may not."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

import psycopg
import pytest

from closewatch.odoo import GRANTS
from tests.fixtures.watch import SECRET
from tests.server.odoo.conftest import GRANTS as GRANTS_SQL
from tests.server.odoo.conftest import Odoo

READABLE = """
SELECT c.relname, a.attname
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p')
   AND has_column_privilege(%s, c.oid, a.attnum, 'SELECT')
 ORDER BY 1, 2
"""


def readable(database: Odoo, role: str = "closewatch") -> dict[str, tuple[str, ...]]:
    """The columns of Odoo's tables that a role may read."""
    found: dict[str, tuple[str, ...]] = {}
    for table, column in database.sql(READABLE, [role]):
        found[table] = (*found.get(table, ()), column)
    return found


def denied(database: Odoo, statement: str) -> bool:
    """Whether the weak role is refused."""
    with psycopg.connect(database.server.dsn(database.name, "closewatch", SECRET)) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())
        connection.rollback()
    return True


SECRETS = [
    "SELECT password FROM res_users",
    "SELECT totp_secret FROM res_users",
    "SELECT login FROM res_users",
    "SELECT value FROM ir_config_parameter",
    "SELECT 1 FROM ir_config_parameter WHERE value > ''",
    "SELECT * FROM ir_config_parameter",
    "SELECT kwargs FROM queue_job",
    "SELECT args FROM queue_job",
    "SELECT records FROM queue_job",
    "SELECT exc_info FROM queue_job",
    "SELECT exc_message FROM queue_job",
    "SELECT result FROM queue_job",
    "SELECT * FROM queue_job",
    "SELECT cron_name FROM ir_cron",
    "SELECT * FROM queue_job_lock",
    "UPDATE ir_cron SET active = false",
    "DELETE FROM queue_job",
    "SELECT body_html FROM mail_mail",
    "SELECT email_to FROM mail_mail",
    "SELECT failure_reason FROM mail_mail",
    "SELECT password FROM fetchmail_server",
    "SELECT store_fname FROM ir_attachment",
    "SELECT db_datas FROM ir_attachment",
    "SELECT amount_total FROM account_move",
    "SELECT name FROM account_move",
    "SELECT ref FROM account_move",
    "SELECT name FROM res_company",
    "SELECT rate FROM res_currency_rate",
    "SELECT access_token FROM account_online_link",
    "SELECT password FROM online_bank_statement_provider",
    "SELECT FROM queue_job FOR UPDATE",
]


@pytest.mark.parametrize("statement", SECRETS)
def test_the_role_is_refused(odoo: Callable[..., Odoo], statement: str):
    assert denied(odoo("18", queue="2026", feeds=True), statement)


def test_it_grants_what_is_there_and_nothing_else(odoo: Callable[..., Odoo]):
    database = odoo("18", queue="2026", feeds=True)
    lacking = {"ir_cron": {"numbercall"}, "fetchmail_server": {"error_date"}}
    assert readable(database) == {
        table: tuple(column for column in columns if column not in lacking.get(table, ()))
        for table, columns in GRANTS.items()
    }


def test_without_queue_job(odoo: Callable[..., Odoo]):
    assert set(readable(odoo("15"))) == {"ir_config_parameter", "ir_cron", "ir_cron_trigger", "ir_module_module"}


def test_it_may_be_run_again_and_must_be_when_something_is_added(odoo: Callable[..., Odoo]):
    database = odoo("17", queue="2024")
    before = readable(database)
    database.grant()
    assert readable(database) == before
    database.sql("ALTER TABLE queue_job_channel ADD paused boolean")
    assert "paused" not in readable(database)["queue_job_channel"]
    database.grant()
    assert readable(database)["queue_job_channel"] == ("complete_name", "id", "paused")


@pytest.mark.parametrize("name", ["Watcher", 'we"ird', "o'brien", "two words; DROP TABLE ir_cron"])
def test_any_role_will_do(odoo: Callable[..., Odoo], role: Callable, name: str):
    database = odoo("18")
    role(name)
    database.server.load(database.name, GRANTS_SQL, role=name)
    assert readable(database, name)["ir_config_parameter"] == ("key",)
    database.sql("DROP OWNED BY " + psycopg.sql.Identifier(name).as_string())


def test_the_owner_of_the_tables_may_run_it(odoo: Callable[..., Odoo], role: Callable, monkeypatch: pytest.MonkeyPatch):
    """As Odoo's own role: the owner of the database and of its tables, and no superuser."""
    database = odoo("18", queue="2026", feeds=True)
    owner, password = role()
    database.sql(f"DROP OWNED BY closewatch; ALTER DATABASE {database.name} OWNER TO {owner}")
    for (table,) in database.sql(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    ):
        database.sql(f"ALTER TABLE {table} OWNER TO {owner}")
    assert readable(database) == {}
    server = copy(database.server)
    server.password = password
    monkeypatch.setattr(server, "dsn", lambda name, password: database.server.dsn(name, owner, password))
    server.load(database.name, GRANTS_SQL, role="closewatch")
    assert set(readable(database)) == set(GRANTS)
    database.sql(f"REASSIGN OWNED BY {owner} TO postgres; DROP OWNED BY {owner}")
