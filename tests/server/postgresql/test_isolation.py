"""The collector `isolation` on real servers, against what the server itself says of each role and database."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from closewatch.core.targets import Target
from closewatch.engines.postgres import PostgresServer
from closewatch.postgresql.isolation import ISOLATION
from tests.server.postgresql.watching import Watcher, target

Watch = Callable[..., Watcher]
BOOKS: Target = target(access={"books": "books_.*", "allow": ["postgres"]})
PAIRS = """
SELECT count(*) FROM pg_database d CROSS JOIN pg_roles r
 WHERE d.datname LIKE 'books\\_%%' AND r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> ALL (%s)
   AND NOT pg_has_role(r.oid, d.datdba, 'USAGE') AND has_database_privilege(r.oid, d.oid, 'CONNECT')
"""


@pytest.fixture
def tenants(lively: PostgresServer) -> Iterator[PostgresServer]:
    """Three tenants, each with a role and a database of its own, and a clerk who has none."""
    for name in ("a", "b", "c", "clerk"):
        lively.sql("postgres", f"CREATE ROLE t_{name} LOGIN")
    for name in ("a", "b", "c"):
        lively.create_database(f"books_{name}", f"t_{name}")
    yield lively
    for name in ("a", "b", "c"):
        lively.drop_database(f"books_{name}")
    for name in ("a", "b", "c", "clerk", "c_app", "group"):
        lively.drop_role(f"t_{name}")


def pairs(server: PostgresServer, watch: Watch) -> tuple[float, float]:
    """(by tenants' roles, by others); together they are what the server says of each pair."""
    facts = watch(server).ask(ISOLATION, BOOKS)
    found = [facts.one("postgresql_books_foreign_access", holder=holder) for holder in ("tenant", "other")]
    assert sum(found) == server.value("postgres", PAIRS, [["postgres", "weak_watcher"]])
    return found[0], found[1]


def revoke(server: PostgresServer, *names: str) -> None:
    for name in names:
        server.sql("postgres", f"REVOKE CONNECT ON DATABASE books_{name} FROM PUBLIC")


def test_everybody_gets_into_a_new_database(tenants: PostgresServer, watch: Watch):
    assert pairs(tenants, watch)[0] == 6
    facts = watch(tenants).ask(ISOLATION, BOOKS)
    assert facts.one("postgresql_books_databases") == facts.one("postgresql_books_databases_open") == 3
    assert facts.one("postgresql_books_owners") == 3
    assert facts.one("postgresql_books_databases_owner_unexpected") == 0


def test_what_is_revoked_is_closed(tenants: PostgresServer, watch: Watch):
    revoke(tenants, "a", "b")
    assert pairs(tenants, watch)[0] == 2
    assert watch(tenants).ask(ISOLATION, BOOKS).one("postgresql_books_databases_open") == 1
    revoke(tenants, "c")
    assert pairs(tenants, watch) == (0, 0)


def test_grants_direct_and_through_groups(tenants: PostgresServer, watch: Watch):
    revoke(tenants, "a", "b", "c")
    tenants.sql("postgres", "CREATE ROLE t_group; GRANT CONNECT ON DATABASE books_a TO t_group, t_clerk")
    assert pairs(tenants, watch) == (0, 1)
    tenants.sql("postgres", "GRANT t_group TO t_b")
    assert pairs(tenants, watch) == (1, 1)


def test_a_group_that_is_not_inherited_opens_nothing(tenants: PostgresServer, watch: Watch):
    revoke(tenants, "a", "b", "c")
    tenants.sql("postgres", "CREATE ROLE t_group; GRANT CONNECT ON DATABASE books_a TO t_group")
    if tenants.major >= 16:
        tenants.sql("postgres", "GRANT t_group TO t_b WITH INHERIT FALSE")
    else:
        tenants.sql("postgres", "ALTER ROLE t_b NOINHERIT; GRANT t_group TO t_b")
    assert pairs(tenants, watch) == (0, 0)


def test_a_member_of_the_owner_belongs_there(tenants: PostgresServer, watch: Watch):
    revoke(tenants, "a", "b", "c")
    tenants.sql("postgres", "CREATE ROLE t_c_app LOGIN IN ROLE t_c")
    assert pairs(tenants, watch) == (0, 0)
    tenants.sql("postgres", "GRANT CONNECT ON DATABASE books_a TO t_c")
    assert pairs(tenants, watch) == (2, 0)


def test_a_superuser_should_not_own_books(tenants: PostgresServer, watch: Watch):
    tenants.sql("postgres", "ALTER DATABASE books_a OWNER TO postgres")
    facts = watch(tenants).ask(ISOLATION, BOOKS)
    assert facts.one("postgresql_books_databases_owner_unexpected") == 1


def test_many_tenants_are_counted_in_time(tenants: PostgresServer, watch: Watch):
    """Three hundred roles against open databases: arithmetic, not a question for each pair."""
    make = "DO $$BEGIN FOR n IN 1..300 LOOP EXECUTE format('{}', 't_many_' || n); END LOOP; END$$"
    tenants.sql("postgres", make.format("CREATE ROLE %I LOGIN"))
    try:
        assert pairs(tenants, watch)[1] >= 900
    finally:
        tenants.sql("postgres", make.format("DROP ROLE %I"))
