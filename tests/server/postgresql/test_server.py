"""The collectors `server`, `wraparound`, `checkpoints`, `checksums` and `databases` on real servers."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from closewatch.core.collectors import Reason, Unavailable
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.postgresql.checkpoints import CHECKPOINTS
from closewatch.postgresql.checksums import CHECKSUMS
from closewatch.postgresql.databases import DATABASES
from closewatch.postgresql.databases import QUERY as SIZES
from closewatch.postgresql.server import SERVER
from closewatch.postgresql.wal_position import WAL_POSITION
from closewatch.postgresql.wraparound import WRAPAROUND
from tests.fixtures.watch import SECRET
from tests.server.postgresql.conftest import WEAK
from tests.server.postgresql.watching import Watcher

Watch = Callable[..., Watcher]
SIZE = "postgresql_database_size_bytes"


def test_version_and_start(lively: PostgresServer, watch: Watch):
    facts = watch(lively).ask(SERVER)
    assert facts.labels("postgresql_info", "version") == [lively.binaries.version]
    start = lively.value("postgres", "SELECT extract(epoch FROM pg_postmaster_start_time())::float8")
    assert facts.one("postgresql_start_timestamp_seconds") == pytest.approx(start)


def test_the_end_of_the_wal(lively: PostgresServer, watch: Watch):
    watcher = watch(lively)
    system = lively.value("postgres", "SELECT system_identifier::text FROM pg_control_system()")
    asked = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8"
    before = lively.value("postgres", asked)
    position = watcher.ask(WAL_POSITION).one("postgresql_wal_position_bytes", system_identifier=system, timeline="1")
    assert before <= position <= lively.value("postgres", asked)
    lively.sql("postgres", "SELECT pg_logical_emit_message(false, 'test', 'x')")
    assert watcher.ask(WAL_POSITION).one("postgresql_wal_position_bytes") > position


def test_template0_counts_for_wraparound(lively: PostgresServer, watch: Watch):
    """No VACUUM by hand reaches it, as it allows no connection."""
    watcher = watch(lively)
    with lively.connect() as connection:
        for _ in range(50):
            connection.execute("SELECT txid_current()")
    for database in ("postgres", "template1"):
        lively.sql(database, "VACUUM (FREEZE)")
    ages = dict(lively.sql("postgres", "SELECT datname, age(datfrozenxid) FROM pg_database"))
    facts = watcher.ask(WRAPAROUND)
    assert ages["template0"] > ages["postgres"]
    assert facts.one("postgresql_xid_age_transactions") >= ages["template0"]
    assert facts.one("postgresql_multixact_age_transactions") >= 0
    assert facts.one("postgresql_freeze_max_age_transactions") == 200_000_000


def test_a_database_that_allows_no_connection_counts_and_an_invalid_one_does_not(lively: PostgresServer, watch: Watch):
    watcher = watch(lively)
    lively.create_database("closed")
    try:
        change = """
            UPDATE pg_database SET datallowconn = false, datconnlimit = %s, datfrozenxid = '3' WHERE datname = 'closed'
        """
        lively.sql("postgres", change, [-1])
        oldest = lively.value("postgres", "SELECT age('3'::xid)")
        others = lively.value("postgres", "SELECT max(age(datfrozenxid)) FROM pg_database WHERE datname <> 'closed'")
        assert others < oldest
        assert watcher.ask(WRAPAROUND).one("postgresql_xid_age_transactions") == oldest
        lively.sql("postgres", change, [-2])
        assert watcher.ask(WRAPAROUND).one("postgresql_xid_age_transactions") < oldest
    finally:
        lively.sql("postgres", "UPDATE pg_database SET datallowconn = true, datconnlimit = -1 WHERE datname = 'closed'")
        lively.drop_database("closed")


def test_a_requested_checkpoint_is_counted(lively: PostgresServer, watch: Watch):
    watcher = watch(lively)
    before = watcher.ask(CHECKPOINTS)
    lively.sql("postgres", "CHECKPOINT")

    def requested() -> float:
        return watcher.ask(CHECKPOINTS).one("postgresql_checkpoints_total", kind="requested")

    expected = before.one("postgresql_checkpoints_total", kind="requested") + 1
    wait_until(lambda: requested() >= expected, 20, "the checkpoint is counted")
    assert before.one("postgresql_checkpoints_total", kind="timed") >= 0
    assert before.one("postgresql_checkpoint_write_seconds_total") >= 0
    assert before.one("postgresql_checkpoint_sync_seconds_total") >= 0


@pytest.mark.pg("<18")
def test_without_checksums_there_is_no_count(lively: PostgresServer, watch: Watch):
    facts = watch(lively).ask(CHECKSUMS)
    assert facts.one("postgresql_checksums_enabled") == 0
    assert facts.all("postgresql_checksum_failures_total") == []


@pytest.mark.pg(">=18")
def test_a_damaged_page_is_counted(new_postgres: Callable[..., PostgresServer], watch: Watch):
    server = new_postgres()
    server.sql("postgres", "CREATE TABLE ledger AS SELECT generate_series(1, 1000) AS entry")
    path = server.data / server.value("postgres", "SELECT pg_relation_filepath('ledger')")
    watcher = watch(server, "postgres", server.password)
    facts = watcher.ask(CHECKSUMS)
    assert facts.one("postgresql_checksums_enabled") == 1
    assert facts.one("postgresql_checksum_failures_total") == 0
    assert facts.all("postgresql_checksum_last_failure_timestamp_seconds") == []
    server.stop()
    with path.open("r+b") as file:
        file.seek(4000)
        file.write(b"\x00\xff" * 50)
    server.start()
    with pytest.raises(psycopg.errors.DataCorrupted):
        server.sql("postgres", "SELECT sum(entry) FROM ledger")
    watcher = watch(server, "postgres", server.password)
    watcher.until(CHECKSUMS, "the failure is counted", "postgresql_checksum_failures_total", 1)
    assert watcher.ask(CHECKSUMS).one("postgresql_checksum_last_failure_timestamp_seconds") > 1e9


def test_sizes_of_all_databases_whatever_their_names(lively: PostgresServer, watch: Watch):
    hostile = 'odoo "x"\n\\{}<script>é'
    lively.create_database(hostile)
    lively.sql("postgres", "CREATE TABLE IF NOT EXISTS weight AS SELECT repeat('x', 500) FROM generate_series(1, 5000)")
    try:
        facts = watch(lively).ask(DATABASES)
        assert set(facts.labels(SIZE, "database")) >= {"postgres", "template0", "template1", hostile}
        assert facts.one(SIZE, database="postgres") > facts.one(SIZE, database=hostile) > 1_000_000
    finally:
        lively.drop_database(hostile)


def test_names_that_are_no_valid_text(lively: PostgresServer, watch: Watch):
    lively.sql("postgres", "CREATE DATABASE raw ENCODING 'SQL_ASCII' TEMPLATE template0")
    try:
        with lively.connect("raw", client_encoding="SQL_ASCII") as connection:
            for statement in (b'CREATE DATABASE "caf\xe9"', b'CREATE DATABASE "caf\xe8"'):
                connection.execute(statement)
            raw = watch(lively, database="raw").ask(DATABASES)
            assert raw.one(SIZE, database="caf\\351") > 1_000_000
            both = watch(lively).ask(DATABASES).one(SIZE, database="caf\ufffd")
            assert both > 2 * 1_000_000
            for statement in (b'DROP DATABASE "caf\xe9"', b'DROP DATABASE "caf\xe8"'):
                connection.execute(statement)
    finally:
        lively.drop_database("raw")


def test_a_database_that_one_may_not_enter(
    lively: PostgresServer, watch: Watch, blind: Callable[[PostgresServer], Watcher]
):
    lively.create_database("locked")
    lively.sql("postgres", "REVOKE CONNECT ON DATABASE locked FROM PUBLIC")
    try:
        assert watch(lively).ask(DATABASES).one(SIZE, database="locked") > 1_000_000
        with pytest.raises(Unavailable) as caught:
            blind(lively).ask(DATABASES)
        assert caught.value.reason is Reason.PERMISSION
    finally:
        lively.drop_database("locked")


@pytest.mark.parametrize("user", ["postgres", WEAK])
def test_a_database_dropped_between_listing_and_sizing(lively: PostgresServer, user: str):
    """A snapshot from before the drop still lists it, while the server's functions know that it is gone."""
    lively.create_database("fleeting")
    password = SECRET if user == WEAK else None
    with lively.connect(user=user, password=password, autocommit=False) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute("SELECT 1")
        lively.drop_database("fleeting")
        sizes = {name: size for _, name, size in connection.execute(SIZES.sql.encode())}
        assert sizes["fleeting"] is None
        assert sizes["postgres"] > 1_000_000


def test_an_invalid_database_still_takes_space(lively: PostgresServer, watch: Watch):
    lively.create_database("invalid")
    try:
        lively.sql("postgres", "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'invalid'")
        assert watch(lively).ask(DATABASES).one(SIZE, database="invalid") > 1_000_000
    finally:
        lively.sql("postgres", "UPDATE pg_database SET datconnlimit = -1 WHERE datname = 'invalid'")
        lively.drop_database("invalid")


def test_sizing_stops_in_time_and_what_was_not_reached_is_empty(lively: PostgresServer):
    """With the time already used up: all are listed, none is looked at."""
    assert "interval '2 s'" in SIZES.sql
    rows = lively.sql("postgres", SIZES.sql.replace("interval '2 s'", "interval '-1 s'").replace("%", "%%"), [])
    assert {name for _, name, _ in rows} >= {"postgres", "template0", "template1"}
    assert {size for _, _, size in rows} == {None}
