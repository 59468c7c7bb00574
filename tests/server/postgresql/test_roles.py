"""The collector `roles` on real servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from closewatch.engines.postgres import PostgresServer
from closewatch.postgresql.isolation import ISOLATION
from closewatch.postgresql.logins import LOGINS
from closewatch.postgresql.roles import PRIVILEGES, ROLES
from tests.server.postgresql.conftest import Link
from tests.server.postgresql.watching import TARGET, Watcher, target

Watch = Callable[..., Watcher]
SINCE = {"read_all_data": 14, "write_all_data": 14, "create_subscription": 16, "maintain": 17}
COUNT, FINGERPRINT = "postgresql_privileged_roles", "postgresql_privileged_roles_fingerprint"


@pytest.fixture
def made(lively: PostgresServer) -> Iterator[Callable[..., None]]:
    """Makes roles: `made("alice LOGIN", "grp SUPERUSER")`; drops them in the end."""
    names: list[str] = []

    def make(*roles: str) -> None:
        for one in roles:
            names.append(one.split()[0])
            lively.sql("postgres", f"CREATE ROLE {one}")

    yield make
    for name in reversed(names):
        lively.drop_role(name)


def counts(watcher: Watcher) -> dict[str, float]:
    facts = watcher.ask(ROLES)
    return {privilege: facts.one(COUNT, privilege=privilege) for privilege in PRIVILEGES}


def more(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in PRIVILEGES if after[name] != before[name]}


def test_a_new_server_has_its_first_superuser(lively: PostgresServer, watch: Watch):
    found = counts(watch(lively))
    assert found["superuser"] == found["createrole"] == 1
    assert found["provider_admin"] == found["server_program"] == 0


@pytest.mark.parametrize(
    ("attribute", "privilege"),
    [
        ("SUPERUSER", "superuser"),
        ("CREATEROLE", "createrole"),
        ("CREATEDB", "createdb"),
        ("REPLICATION", "replication"),
        ("BYPASSRLS", "bypassrls"),
        ("IN ROLE pg_execute_server_program", "server_program"),
        ("IN ROLE pg_read_server_files, pg_write_server_files", "server_files"),
        ("IN ROLE pg_read_all_data", "read_all_data"),
        ("IN ROLE pg_write_all_data", "write_all_data"),
        ("IN ROLE pg_create_subscription", "create_subscription"),
        ("IN ROLE pg_maintain", "maintain"),
    ],
)
def test_what_a_role_was_given(lively: PostgresServer, watch: Watch, made, attribute: str, privilege: str):
    if lively.major < SINCE.get(privilege, 0):
        pytest.skip("this version has no such role")
    watcher = watch(lively)
    before = counts(watcher)
    made(f"alice LOGIN {attribute}")
    assert more(before, counts(watcher)) == {privilege: 1}


def test_who_cannot_log_in_is_not_counted_and_is_a_change(lively: PostgresServer, watch: Watch, made):
    watcher = watch(lively)
    before, number = counts(watcher), watcher.ask(ROLES).one(FINGERPRINT)
    made("dba NOLOGIN SUPERUSER")
    assert more(before, counts(watcher)) == {}
    assert watcher.ask(ROLES).one(FINGERPRINT) != number


def test_a_chain_of_memberships(lively: PostgresServer, watch: Watch, made):
    watcher = watch(lively)
    before = counts(watcher)
    made("dba NOLOGIN SUPERUSER", "staff NOLOGIN IN ROLE dba", "alice LOGIN IN ROLE staff", "bob LOGIN IN ROLE alice")
    assert more(before, counts(watcher)) == {"superuser": 2}


@pytest.mark.pg(">=16")
@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("INHERIT TRUE, SET FALSE", {"server_program": 1}),
        ("INHERIT FALSE, SET TRUE", {"server_program": 1, "createdb": 1}),
        ("INHERIT FALSE, SET FALSE", {}),
        ("ADMIN TRUE, INHERIT FALSE, SET FALSE", {"server_program": 1, "createdb": 1}),
    ],
)
def test_what_a_membership_allows(lively: PostgresServer, watch: Watch, made, options: str, found: dict[str, int]):
    """An attribute is taken by SET ROLE, a predefined role's right also inherited; whoever has ADMIN grants both."""
    watcher = watch(lively)
    before = counts(watcher)
    made("ops NOLOGIN CREATEDB IN ROLE pg_execute_server_program", "alice LOGIN")
    lively.sql("postgres", f"GRANT ops TO alice WITH {options}")
    assert more(before, counts(watcher)) == found


@pytest.mark.parametrize("name", ["rds_superuser", "cloudsqlsuperuser", "azure_pg_admin", "alloydbsuperuser"])
def test_administrators_of_managed_servers(lively: PostgresServer, watch: Watch, made, name: str):
    watcher = watch(lively)
    before = counts(watcher)
    made(f"{name} NOLOGIN", f"master LOGIN IN ROLE {name}")
    assert more(before, counts(watcher)) == {"provider_admin": 1}


def test_the_fingerprint_changes_with_privileges_alone(lively: PostgresServer, watch: Watch, made):
    watcher = watch(lively)
    before = watcher.ask(ROLES).one(FINGERPRINT)
    made("alice LOGIN", "dba NOLOGIN CREATEDB")
    seen = [watcher.ask(ROLES).one(FINGERPRINT)]
    for statement, changes in (
        ("ALTER ROLE alice CONNECTION LIMIT 5", False),
        ("ALTER ROLE alice VALID UNTIL '2030-01-01'", False),
        ("GRANT dba TO alice", True),
        ("ALTER ROLE dba LOGIN", True),
        ("ALTER ROLE dba NOCREATEDB", True),
    ):
        lively.sql("postgres", statement)
        seen.append(watcher.ask(ROLES).one(FINGERPRINT))
        assert (seen[-1] != seen[-2]) is changes, statement
    assert seen[-1] == before


def test_a_standby_has_the_same_number(link: Link, watch: Watch):
    """So a failover is no change, nor is another closewatch that begins anew."""
    first, second = (watch(server).ask(ROLES).one(FINGERPRINT) for server in (link.primary, link.standby))
    assert first == second == watch(link.primary).ask(ROLES, TARGET).one(FINGERPRINT)


def test_roles_that_must_expire(lively: PostgresServer, watch: Watch, made):
    made("p_alice LOGIN", "p_bob LOGIN VALID UNTIL '2031-01-01'", "p_carol LOGIN VALID UNTIL 'infinity'", "p_group")
    facts = watch(lively).ask(ROLES, target(access={"expire": "p_.*"}))
    assert facts.one("postgresql_roles_without_expiry") == 2


@pytest.mark.parametrize("database", ["postgres", "plain"])
def test_a_name_that_is_no_valid_text_is_no_fault(lively: PostgresServer, watch: Watch, database: str):
    """Made in a database without an encoding, and seen from there and from one that has UTF-8."""
    lively.sql("postgres", "CREATE DATABASE plain ENCODING 'SQL_ASCII' TEMPLATE template0")
    try:
        with lively.connect("plain") as connection:
            for statement in (
                b'CREATE ROLE "caf\xe9" LOGIN CREATEDB',
                b'CREATE DATABASE "odoo_\xe9" OWNER "caf\xe9" TEMPLATE template0 ENCODING \'SQL_ASCII\'',
            ):
                connection.execute(statement)
        watcher = watch(lively, database=database)
        assert counts(watcher)["createdb"] == 2
        with lively.connect("plain", application_name="psql"):
            assert watcher.ask(LOGINS).one("postgresql_unexpected_sessions", program="psql") == 0
        assert watcher.ask(ISOLATION).one("postgresql_books_databases") == 1
    finally:
        with lively.connect("plain") as connection:
            connection.execute(b'DROP DATABASE IF EXISTS "odoo_\xe9"')
            connection.execute(b'DROP ROLE IF EXISTS "caf\xe9"')
        lively.drop_database("plain")
