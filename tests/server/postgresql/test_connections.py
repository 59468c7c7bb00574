"""The collector `connections` on real servers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import psycopg
import pytest

from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.postgresql.connections import CONNECTIONS, STATES
from tests.fixtures.watch import SECRET
from tests.server.postgresql.conftest import WEAK
from tests.server.postgresql.watching import Watcher, send, sessions

Watch = Callable[..., Watcher]
USED = "postgresql_connection_limit_used_ratio"


@pytest.fixture
def quiet(lively: PostgresServer) -> PostgresServer:
    """The shared server, with no session but the one that looks."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    wait_until(lambda: lively.value("postgres", others) == 0, 20, "earlier sessions have ended")
    return lively


@pytest.fixture
def limited(quiet: PostgresServer) -> Iterator[Callable[..., str]]:
    """Makes login roles with a limit: `limited("clerk", 4)`."""
    made: list[str] = []

    def make(name: str, limit: int, options: str = "LOGIN") -> str:
        made.append(name)
        quiet.create_role(name, SECRET, f"{options} CONNECTION LIMIT {limit}")
        return name

    yield make
    for name in made:
        quiet.drop_role(name)


def by_state(watcher: Watcher) -> dict[str, float]:
    facts = watcher.ask(CONNECTIONS)
    return {state: facts.one("postgresql_connections", state=state) for state in STATES}


def test_states_and_not_our_own(quiet: PostgresServer, watch: Watch):
    watcher = watch(quiet)
    assert by_state(watcher) == dict.fromkeys(STATES, 0)
    with sessions(quiet, 5) as (_, open_one, failed, busy, disabled):
        open_one.execute("BEGIN")
        with contextlib.suppress(psycopg.errors.DivisionByZero):
            failed.execute("BEGIN")
            failed.execute("SELECT 1 / 0")
        send(busy, "SELECT pg_sleep(60)")
        disabled.execute("SET track_activities = off")
        expected = {"active": 1, "idle": 1, "idle_in_transaction": 1, "idle_in_transaction_aborted": 1, "other": 1}
        wait_until(lambda: by_state(watcher) == expected, 20, "each is in its state")


def test_other_sessions_of_closewatch_count(quiet: PostgresServer, watch: Watch):
    watcher, _ = watch(quiet), watch(quiet)
    assert sum(by_state(watcher).values()) == 1


def test_wal_senders_take_no_connection(quiet: PostgresServer, watch: Watch):
    watcher = watch(quiet)
    dsn = psycopg.conninfo.make_conninfo(quiet.dsn(), replication="true")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("IDENTIFY_SYSTEM")
        walsenders = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'"
        assert quiet.value("postgres", walsenders) == 1
        wait_until(lambda: sum(by_state(watcher).values()) == 0, 20, "the WAL sender is not counted")


@pytest.mark.pg("<16")
def test_what_ordinary_users_get(quiet: PostgresServer, watch: Watch):
    assert watch(quiet).ask(CONNECTIONS).one("postgresql_connections_max") == 170 - 3


@pytest.mark.pg(">=16")
def test_what_ordinary_users_get_less_the_reserved(quiet: PostgresServer, watch: Watch):
    assert watch(quiet).ask(CONNECTIONS).one("postgresql_connections_max") == 170 - 3 - 2


def test_no_limit_no_ratio(quiet: PostgresServer, watch: Watch):
    # Our own role has one, and is left out.
    assert quiet.value("postgres", "SELECT rolconnlimit FROM pg_roles WHERE rolname = %s", [WEAK]) == 10
    assert watch(quiet).ask(CONNECTIONS).all(USED) == []


def test_the_role_nearest_to_its_limit(quiet: PostgresServer, watch: Watch, limited):
    limited("clerk", 4)
    limited("bookkeeper", 100)
    watcher = watch(quiet)
    assert watcher.ask(CONNECTIONS).one(USED) == 0
    with sessions(quiet, 3, "clerk", password=SECRET), sessions(quiet, 5, "bookkeeper", password=SECRET):
        assert watcher.ask(CONNECTIONS).one(USED) == 0.75


def test_a_limit_of_none_shuts_out_on_purpose(quiet: PostgresServer, watch: Watch, limited):
    limited("former", 0)
    assert watch(quiet).ask(CONNECTIONS).all(USED) == []


def test_superusers_and_who_may_not_log_in_ignore_their_limits(quiet: PostgresServer, watch: Watch, limited):
    limited("chief", 1, "LOGIN SUPERUSER")
    limited("team", 1, "NOLOGIN")
    with sessions(quiet, 2, "chief", password=SECRET):
        assert watch(quiet).ask(CONNECTIONS).all(USED) == []


@pytest.mark.parametrize(("limit", "ratio"), [(2, [0.5]), (0, []), (-1, []), (-2, [])])
def test_the_limit_of_a_database(quiet: PostgresServer, watch: Watch, limit: int, ratio: list[float]):
    watcher = watch(quiet)
    quiet.create_database("limited")
    try:
        with quiet.connect("limited"):
            quiet.sql("postgres", "UPDATE pg_database SET datconnlimit = %s WHERE datname = 'limited'", [limit])
            assert watcher.ask(CONNECTIONS).all(USED) == ratio
    finally:
        quiet.sql("postgres", "UPDATE pg_database SET datconnlimit = -1 WHERE datname = 'limited'")
        quiet.drop_database("limited")


def test_a_full_server_still_answers_on_the_held_session(new_postgres: Callable[..., PostgresServer], watch: Watch):
    server = new_postgres(max_connections="8", superuser_reserved_connections="2", max_wal_senders="0")
    server.create_role("user1", SECRET)
    server.create_role("watcher", SECRET, "LOGIN IN ROLE pg_monitor")
    watcher = watch(server, "watcher", SECRET)
    with sessions(server, 5, "user1", password=SECRET):
        with pytest.raises(psycopg.OperationalError):
            server.connect(user="user1", password=SECRET)
        facts = watcher.ask(CONNECTIONS)
        assert facts.one("postgresql_connections_max") == 6
        assert facts.one("postgresql_connections", state="idle") == 5  # and we are the sixth
