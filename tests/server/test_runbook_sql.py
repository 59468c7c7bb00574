"""Every SQL block of the runbooks, on real servers of each version: what an operator pastes at night must work.

```sql`          asked of the primary, `sql standby` of a standby, `sql odoo` of real Odoo databases; read-only.
`... mitigation` changes something: parsed and analysed, not carried out; an UPDATE is, and is rolled back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from tests.contract.checks_runbooks import FOLDER, Block, blocks
from tests.fixtures.postgres import Pair

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = [
    block
    for path in sorted((ROOT / FOLDER).glob("*.md"))
    for block in blocks(path.read_text(encoding="utf-8"), path.stem)
    if block.kind.split()[0] == "sql"
]
ASKED = [block for block in BLOCKS if "mitigation" not in block.kind]
CHANGES = [block for block in BLOCKS if "mitigation" in block.kind]

pytestmark = pytest.mark.server


def statements(block: Block) -> list[str]:
    """The statements of a block; none of them holds a semicolon inside."""
    return [part.strip() for part in block.text.split(";") if part.strip()]


def ask(server: PostgresServer, database: str, block: Block) -> list[list[tuple[object, ...]]]:
    """Run a block's statements in one read-only transaction; gives the rows of each."""
    with server.connect(database, autocommit=False) as connection:
        connection.execute("SET TRANSACTION READ ONLY")
        connection.execute("SET LOCAL statement_timeout = '10s'")
        answers = []
        for statement in statements(block):
            try:
                answers.append(connection.execute(statement.encode()).fetchall())
            except psycopg.Error as error:
                pytest.fail(f"{block.place}: {error}\n{statement}")
        connection.rollback()
    return answers


def change(server: PostgresServer, database: str, block: Block) -> None:
    """Let the server parse and analyse what would change it; carry out what can be rolled back."""
    with server.connect(database, autocommit=False) as connection:
        for statement in statements(block):
            result = connection.pgconn.prepare(b"", statement.encode())
            if result.status != psycopg.pq.ExecStatus.COMMAND_OK:
                pytest.fail(f"{block.place}: {result.error_message.decode()}\n{statement}")
            connection.rollback()
            if statement.startswith("UPDATE"):
                connection.execute(statement.encode())
                connection.rollback()
            for setting in re.findall(r"ALTER SYSTEM SET (\w+)", statement):
                known = connection.execute("SELECT count(*) FROM pg_settings WHERE name = %s", [setting]).fetchone()
                assert known == (1,), f"{block.place}: {setting} is no setting of this version"
                connection.rollback()


@pytest.fixture(params=["odoo15", "odoo18", "queue_job-18.0.4"])
def odoo(
    request: pytest.FixtureRequest, postgres_server: PostgresServer, database: Callable[..., str], shared_odoo: Path
) -> Iterator[tuple[PostgresServer, str]]:
    """A real Odoo database: 15, 18, and 18 with the newest tables of queue_job."""
    dump = shared_odoo / f"{request.param}.sql.gz"
    if request.param.startswith("odoo"):
        yield postgres_server, database(load=dump)
        return
    name = database(load=shared_odoo / "odoo18.sql.gz")
    postgres_server.sql(name, "DROP TABLE queue_job, queue_job_channel, queue_job_function CASCADE")
    postgres_server.load(name, dump)
    yield postgres_server, name


def book(name: str, kind: str, number: int = 0) -> Block:
    """A block of a runbook, by its kind and its place among those."""
    return [block for block in BLOCKS if block.place.startswith(f"{name}:") and block.kind == kind][number]


def test_the_primarys_questions_are_answered(postgres_pair: Pair) -> None:
    asked = [block for block in ASKED if block.kind == "sql"]
    assert len(asked) > 30
    for block in asked:
        ask(postgres_pair.primary, "postgres", block)


def test_the_standbys_questions_are_answered(postgres_pair: Pair) -> None:
    asked = [block for block in ASKED if block.kind == "sql standby"]
    assert len(asked) > 5
    for block in asked:
        ask(postgres_pair.standby, "postgres", block)


def test_odoos_questions_are_answered(odoo: tuple[PostgresServer, str]) -> None:
    asked = [block for block in ASKED if block.kind == "sql odoo"]
    assert len(asked) > 20
    for block in asked:
        ask(*odoo, block)


def test_the_servers_understand_the_changes(postgres_pair: Pair) -> None:
    for block in CHANGES:
        if block.kind == "sql mitigation":
            change(postgres_pair.primary, "postgres", block)
        elif block.kind == "sql standby mitigation":
            change(postgres_pair.standby, "postgres", block)


def test_odoos_databases_understand_the_changes(odoo: tuple[PostgresServer, str]) -> None:
    for block in CHANGES:
        if block.kind == "sql odoo mitigation":
            change(*odoo, block)


def test_a_change_never_stands_outside_of_a_block_that_says_so() -> None:
    changing = re.compile(
        r"\b(UPDATE|DELETE|INSERT|ALTER|DROP|TRUNCATE|GRANT|VACUUM|REINDEX|ANALYZE|CHECKPOINT)\s"
        r"|pg_(terminate|cancel)_backend|pg_drop_|pg_promote|pg_wal_replay_(resume|pause)\(|pg_reload_conf"
    )
    assert not [block.place for block in ASKED if changing.search(block.text)]
    assert all(changing.search(block.text) or "PREPARED" in block.text for block in CHANGES)


def test_the_root_of_blocked_sessions_is_found(postgres_server: PostgresServer, database: Callable[..., str]) -> None:
    name = database()
    postgres_server.sql(name, "CREATE TABLE entry (id int); INSERT INTO entry VALUES (1)")
    with (
        postgres_server.connect(name, autocommit=False) as root,
        postgres_server.connect(name) as waiter,
    ):
        root.execute("UPDATE entry SET id = 2")
        waiter.execute("BEGIN")
        waiter.pgconn.send_query(b"UPDATE entry SET id = 3")
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        pid = waiter.info.backend_pid
        wait_until(lambda: postgres_server.value("postgres", waiting, [pid]), 30, "the second session waits")
        [rows] = ask(postgres_server, "postgres", book("PostgresqlSessionsBlocked", "sql", 0))
        assert [(row[0], row[1]) for row in rows] == [(root.info.backend_pid, 1)]
        [rows] = ask(postgres_server, name, book("PostgresqlSessionsBlocked", "sql", 1))
        assert pid in {row[0] for row in rows}
        root.rollback()
        while waiter.pgconn.get_result():
            continue
        waiter.execute("ROLLBACK")


def test_the_holder_of_the_xmin_horizon_is_found(postgres_server: PostgresServer, database: Callable[..., str]) -> None:
    name = database()
    with postgres_server.connect(name, autocommit=False) as holder:
        holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT 1")
        [rows] = ask(postgres_server, "postgres", book("PostgresqlXminHorizonHeld", "sql"))
        assert ("session", str(holder.info.backend_pid)) in {row[:2] for row in rows}
        holder.rollback()


def test_a_prepared_transaction_and_its_locks_are_found(new_postgres: Callable[..., PostgresServer]) -> None:
    server = new_postgres(max_prepared_transactions="5")
    server.sql("postgres", "CREATE TABLE entry (id int)")
    server.sql("postgres", "BEGIN; INSERT INTO entry VALUES (1); PREPARE TRANSACTION 'forgotten'")
    for restarted in (False, True):
        if restarted:
            server.restart()
        first, locks = (
            ask(server, "postgres", book("PostgresqlPreparedTransactionForgotten", "sql", n)) for n in (0, 1)
        )
        assert [row[0] for row in first[0]] == ["forgotten"]
        assert ("forgotten", "relation", "RowExclusiveLock", "entry") in locks[0]


def test_a_slot_without_reader_is_found(postgres_server: PostgresServer) -> None:
    postgres_server.sql("postgres", "SELECT pg_create_physical_replication_slot('unread', true)")
    try:
        rows, _ = ask(postgres_server, "postgres", book("PostgresqlSlotRetainsWal", "sql", 0))
        assert [(row[0], row[4]) for row in rows if row[0] == "unread"] == [("unread", False)]
    finally:
        postgres_server.sql("postgres", "SELECT pg_drop_replication_slot('unread')")


def test_what_fails_in_odoo_is_found(
    postgres_server: PostgresServer, database: Callable[..., str], shared_odoo: Path
) -> None:
    name = database(load=shared_odoo / "odoo18.sql.gz")
    [failed] = ask(postgres_server, name, book("OdooQueueJobsFailed", "sql odoo", 0))
    assert sum(int(str(row[4])) for row in failed) == 5
    [crons] = ask(postgres_server, name, book("OdooCronFailing", "sql odoo", 0))
    assert "Scratch: always fails" in {row[1] for row in crons}
    [states] = ask(postgres_server, name, book("OdooQueueStalled", "sql odoo", 0))
    assert {row[0] for row in states} == {"wait_dependencies", "pending", "enqueued", "started", "failed"}
