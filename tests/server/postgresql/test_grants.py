"""grants.sql, run by psql as a user runs it."""

from __future__ import annotations

from copy import copy

import pytest

from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import EngineError
from tests.server.postgresql.watching import GRANTS

FACTS = """
SELECT rolcanlogin, rolinherit, rolconnlimit,
       rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls,
       ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = pg_roles.oid)
  FROM pg_roles WHERE rolname = %s
"""


@pytest.fixture
def run(lively: PostgresServer):
    """Runs grants.sql and drops the role in the end."""
    made = []

    def grant(role: str = "closewatch", **variables: str) -> tuple:
        made.append(role)
        lively.load("postgres", GRANTS, **({} if role == "closewatch" else {"role": role}), **variables)
        return lively.sql("postgres", FACTS, [role])[0]

    yield grant
    for role in made:
        lively.drop_role(role)


def test_it_makes_a_weak_role_and_may_be_run_again(run):
    assert run() == (True, True, 10, False, ["pg_monitor"])
    assert run(connections="7") == (True, True, 7, False, ["pg_monitor"])


def test_it_repairs_a_role_that_was_made_by_hand(run, lively: PostgresServer):
    lively.sql("postgres", "CREATE ROLE by_hand NOLOGIN NOINHERIT")
    assert run("by_hand") == (True, True, 10, False, ["pg_monitor"])


@pytest.mark.parametrize("name", ["Watcher", 'we"ird', "o'brien", "two words; DROP TABLE x", "é", ":role"])
def test_any_name_will_do(run, name: str):
    assert run(name) == (True, True, 10, False, ["pg_monitor"])


@pytest.mark.parametrize("attribute", ["SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"])
def test_it_refuses_a_role_that_may_more(run, lively: PostgresServer, attribute: str):
    lively.sql("postgres", f"CREATE ROLE mighty {attribute}")
    with pytest.raises(EngineError, match="is privileged"):
        run("mighty")
    assert lively.sql("postgres", FACTS, ["mighty"])[0][:3] == (False, True, -1)


def test_it_needs_no_superuser(lively: PostgresServer, monkeypatch: pytest.MonkeyPatch):
    """As on managed servers: an administrator who may create roles and hand on pg_monitor."""
    secret = lively.create_role("administrator", options="LOGIN CREATEROLE")
    lively.sql("postgres", "GRANT pg_monitor TO administrator WITH ADMIN OPTION")
    administrator = copy(lively)
    administrator.password = secret
    monkeypatch.setattr(
        administrator, "dsn", lambda database, password: lively.dsn(database, "administrator", password)
    )
    try:
        administrator.load("postgres", GRANTS, role="by_administrator")
        assert lively.sql("postgres", FACTS, ["by_administrator"])[0][:4] == (True, True, 10, False)
    finally:
        lively.drop_role("by_administrator")
        lively.drop_role("administrator")
