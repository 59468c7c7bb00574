"""The collector `transactions` on real servers: what is open, what is maintenance, who holds the horizon."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.postgresql.transactions import HOLDERS, TRANSACTIONS
from tests.fixtures.watch import SECRET
from tests.server.postgresql.conftest import WEAK, Link
from tests.server.postgresql.watching import Watcher, send, sessions

Watch = Callable[..., Watcher]
OLDEST = "postgresql_oldest_transaction_start_timestamp_seconds"
IDLE = "postgresql_oldest_idle_in_transaction_start_timestamp_seconds"
XMIN = "postgresql_xmin_horizon_age_transactions"
SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1"


@pytest.fixture
def quiet(lively: PostgresServer) -> PostgresServer:
    """The shared server without an open transaction."""
    open_ones = "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid()"
    wait_until(lambda: lively.value("postgres", open_ones) == 0, 20, "nothing is open")
    return lively


@pytest.fixture
def burnt(quiet: PostgresServer) -> Callable[[int], None]:
    """Uses up so many transaction numbers."""

    def burn(count: int) -> None:
        with quiet.connect() as connection:
            for _ in range(count):
                connection.execute("SELECT txid_current()")

    return burn


def started(server: PostgresServer, session: psycopg.Connection, column: str = "xact_start") -> float:
    question = f"SELECT extract(epoch FROM {column})::float8 FROM pg_stat_activity WHERE pid = %s"
    return server.value("postgres", question, [session.info.backend_pid])


def holders(watcher: Watcher) -> dict[str, float]:
    facts = watcher.ask(TRANSACTIONS)
    return {holder: values[0] for holder in HOLDERS if (values := facts.all(XMIN, holder=holder))}


def test_nothing_is_open(quiet: PostgresServer, watch: Watch):
    facts = watch(quiet).ask(TRANSACTIONS)
    assert facts.all(OLDEST) == facts.all(IDLE) == facts.all(XMIN) == []
    assert facts.one("postgresql_prepared_transactions") == 0
    assert facts.all("postgresql_oldest_prepared_timestamp_seconds") == []


def test_the_oldest_and_since_when_it_idles(quiet: PostgresServer, watch: Watch):
    with sessions(quiet, 2) as (older, newer):
        for session in (older, newer):
            session.execute("BEGIN")
            session.execute("SELECT 1")
        facts = watch(quiet).ask(TRANSACTIONS)
        assert facts.one(OLDEST, activity="ordinary") == pytest.approx(started(quiet, older))
        assert facts.all(OLDEST, activity="maintenance") == []
        assert facts.one(IDLE) == pytest.approx(started(quiet, older, "state_change"))


def test_a_session_that_works_does_not_idle(quiet: PostgresServer, watch: Watch):
    watcher = watch(quiet)
    with sessions(quiet, 1) as (session,):
        send(session, "SELECT pg_sleep(60)")
        wait_until(lambda: watcher.ask(TRANSACTIONS).all(OLDEST, activity="ordinary"), 20, "it works")
        assert watcher.ask(TRANSACTIONS).all(IDLE) == []


def test_a_failed_transaction_idles_too(quiet: PostgresServer, watch: Watch):
    with sessions(quiet, 1) as (session,):
        session.execute("BEGIN")
        with pytest.raises(psycopg.errors.DivisionByZero):
            session.execute("SELECT 1 / 0")
        assert watch(quiet).ask(TRANSACTIONS).one(IDLE) == pytest.approx(started(quiet, session, "state_change"))


@pytest.mark.parametrize("name", ["pg_dump", "pg_restore", "pgBackRest [backup]", "barman_receive_wal", "vacuumdb"])
def test_tools_are_maintenance_also_while_they_idle(quiet: PostgresServer, watch: Watch, name: str):
    """The leader of a parallel pg_dump idles in its transaction for as long as the dump takes."""
    with sessions(quiet, 1, application_name=name) as (session,):
        session.execute(SNAPSHOT)
        facts = watch(quiet).ask(TRANSACTIONS)
        assert facts.one(OLDEST, activity="maintenance") == pytest.approx(started(quiet, session))
        assert facts.all(OLDEST, activity="ordinary") == facts.all(IDLE) == []
        assert facts.all(XMIN, holder="session") == [0]  # it holds the horizon all the same


@pytest.mark.parametrize("name", ["my_pg_dump", "odoo-4711", ""])
def test_other_names_are_ordinary(quiet: PostgresServer, watch: Watch, name: str):
    with sessions(quiet, 1, application_name=name) as (session,):
        session.execute("BEGIN")
        assert watch(quiet).ask(TRANSACTIONS).one(OLDEST, activity="ordinary") == pytest.approx(started(quiet, session))


@pytest.mark.parametrize(
    ("statement", "activity"),
    [
        ("create unique  index later on waiting (a)", "maintenance"),
        ("\n\tREINDEX TABLE waiting", "maintenance"),
        ("analyze waiting", "maintenance"),
        ("VACUUM waiting", "maintenance"),
        ("CLUSTER waiting", "maintenance"),
        ("SELECT 'vacuum' FROM waiting", "ordinary"),
        ("ALTER TABLE waiting ADD b int", "ordinary"),
    ],
)
def test_statements_that_tend_tables_are_maintenance(
    quiet: PostgresServer, watch: Watch, statement: str, activity: str
):
    watcher = watch(quiet)
    quiet.sql("postgres", "CREATE TABLE waiting (a int)")
    try:
        with sessions(quiet, 2, application_name="pg_dump") as (holder, _), sessions(quiet, 1) as (session,):
            holder.execute("BEGIN")
            holder.execute("LOCK TABLE waiting")
            send(session, statement)
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_until(lambda: quiet.value("postgres", waiting) == 1, 20, "it waits")
            holder.execute("SELECT 1")
            oldest = {
                name: watcher.ask(TRANSACTIONS).all(OLDEST, activity=name) for name in ("ordinary", "maintenance")
            }
            assert bool(oldest["ordinary"]) == (activity == "ordinary")
    finally:
        quiet.sql("postgres", "DROP TABLE waiting")


@pytest.mark.parametrize(("name", "counted"), [("closewatch", False), ("psql", True)])
def test_only_our_role_under_our_name_is_us(quiet: PostgresServer, watch: Watch, name: str, counted: bool):
    with sessions(quiet, 1, WEAK, password=SECRET, application_name=name) as (session,):
        session.execute(SNAPSHOT)
        facts = watch(quiet).ask(TRANSACTIONS)
        assert bool(facts.all(OLDEST)) == bool(facts.all(IDLE)) == bool(facts.all(XMIN)) == counted


def test_nobody_hides_behind_our_name(quiet: PostgresServer, watch: Watch):
    with sessions(quiet, 1, application_name="closewatch") as (session,):
        session.execute("BEGIN")
        assert len(watch(quiet).ask(TRANSACTIONS).all(OLDEST, activity="ordinary")) == 1


@pytest.fixture
def prepared(quiet: PostgresServer) -> Iterator[float]:
    """A prepared transaction; gives when it was prepared."""
    with quiet.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE never ()")
        connection.execute("PREPARE TRANSACTION 'it''s \"forgotten\"'")
    yield quiet.value("postgres", "SELECT extract(epoch FROM prepared)::float8 FROM pg_prepared_xacts")
    quiet.sql("postgres", "ROLLBACK PREPARED 'it''s \"forgotten\"'")


def test_prepared(quiet: PostgresServer, watch: Watch, burnt, prepared: float):
    burnt(7)
    watcher = watch(quiet)
    facts = watcher.ask(TRANSACTIONS)
    assert facts.one("postgresql_prepared_transactions") == 1
    assert facts.one("postgresql_oldest_prepared_timestamp_seconds") == pytest.approx(prepared)
    assert holders(watcher) == {"prepared": 8}


def test_a_session_with_a_snapshot_holds_the_horizon(quiet: PostgresServer, watch: Watch, burnt):
    with sessions(quiet, 1) as (session,):
        session.execute(SNAPSHOT)
        burnt(5)
        assert holders(watch(quiet)) == {"session": 5}


def test_a_session_that_has_written_holds_it_without_a_snapshot(quiet: PostgresServer, watch: Watch, burnt):
    with sessions(quiet, 1) as (session,):
        session.execute("BEGIN; SELECT txid_current()")
        burnt(5)
        assert holders(watch(quiet)) == {"session": 6}


def test_a_lazy_vacuum_holds_nothing_back(quiet: PostgresServer, watch: Watch, burnt):
    watcher = watch(quiet)
    quiet.sql(
        "postgres", "CREATE TABLE dusty AS SELECT repeat('x', 500) FROM generate_series(1, 20000); DELETE FROM dusty"
    )
    try:
        with sessions(quiet, 1) as (session,):
            session.execute("SET vacuum_cost_delay = '100ms'; SET vacuum_cost_limit = 1")
            send(session, "VACUUM dusty")
            works = "SELECT count(*) FROM pg_stat_progress_vacuum WHERE heap_blks_scanned > 0"
            wait_until(lambda: quiet.value("postgres", works) == 1, 20, "VACUUM is at work")
            burnt(5)
            shows = "SELECT max(age(backend_xmin)) FROM pg_stat_activity WHERE query = 'VACUUM dusty'"
            assert quiet.value("postgres", shows) >= 5
            assert holders(watcher) == {}
            assert len(watcher.ask(TRANSACTIONS).all(OLDEST, activity="maintenance")) == 1
    finally:
        quiet.sql("postgres", "DROP TABLE dusty")


def test_a_logical_slot_holds_the_catalog(quiet: PostgresServer, watch: Watch, burnt):
    quiet.sql("postgres", "SELECT pg_create_logical_replication_slot('catalog', 'pgoutput')")
    try:
        burnt(5)
        found = holders(watch(quiet))
        assert set(found) == {"slot_catalog"}
        assert found["slot_catalog"] >= 5
    finally:
        quiet.sql("postgres", "SELECT pg_drop_replication_slot('catalog')")


def test_a_lost_slot_holds_nothing_back(quiet: PostgresServer, watch: Watch, burnt):
    watcher = watch(quiet)
    quiet.sql("postgres", "SELECT pg_create_logical_replication_slot('lost', 'pgoutput')")
    quiet.configure(max_slot_wal_keep_size="1MB")
    try:

        def lost() -> bool:
            burnt(1)
            quiet.sql("postgres", "SELECT pg_logical_emit_message(false, 'test', repeat('x', 500000))")
            quiet.sql("postgres", "SELECT pg_switch_wal()")
            quiet.sql("postgres", "CHECKPOINT")
            return (
                quiet.value("postgres", "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'lost'")
                == "lost"
            )

        wait_until(lost, 30, "the slot is lost")
        assert holders(watcher) == {}
    finally:
        quiet.configure(max_slot_wal_keep_size=None)
        quiet.sql("postgres", "SELECT pg_drop_replication_slot('lost')")


def test_a_standby_holds_by_its_feedback_and_with_a_slot_by_the_slot(link: Link, watch: Watch):
    watcher = watch(link.primary)
    with link.standby.connect() as reader:
        reader.execute(SNAPSHOT)
        with link.primary.connect() as connection:
            for _ in range(5):
                connection.execute("SELECT txid_current()")
        wait_until(lambda: holders(watcher).get("standby", 0) >= 5, 20, "the standby holds the horizon")
        assert set(holders(watcher)) == {"standby"}
        link.primary.sql("postgres", "SELECT pg_create_physical_replication_slot('feedback')")
        link.standby.configure(primary_slot_name="feedback")
        try:
            wait_until(lambda: holders(watcher).get("slot", 0) >= 5, 20, "the slot holds the horizon")
            assert "standby" not in holders(watcher)
        finally:
            link.standby.configure(primary_slot_name=None)
            free = "SELECT count(*) FROM pg_replication_slots WHERE NOT active"
            wait_until(lambda: link.primary.value("postgres", free) == 1, 20, "the slot is free")
            link.primary.sql("postgres", "SELECT pg_drop_replication_slot('feedback')")


def test_commits_and_rollbacks_survive_a_dropped_database(quiet: PostgresServer, watch: Watch):
    watcher = watch(quiet)
    quiet.create_database("busy")
    with quiet.connect("busy") as connection:
        for _ in range(50):
            connection.execute("SELECT 1")
            connection.execute("BEGIN; ROLLBACK")
    said = "SELECT xact_commit, xact_rollback FROM pg_stat_database WHERE datname = 'busy'"
    wait_until(lambda: min(quiet.sql("postgres", said)[0]) >= 50, 20, "the server has counted them")
    before = watcher.ask(TRANSACTIONS)
    quiet.drop_database("busy")
    gone = "SELECT count(*) FROM pg_stat_database WHERE datname = 'busy'"
    wait_until(lambda: quiet.value("postgres", gone) == 0, 20, "the server has forgotten them")
    after = watcher.ask(TRANSACTIONS)
    for name in ("postgresql_commits_total", "postgresql_rollbacks_total"):
        assert after.one(name) >= before.one(name)
