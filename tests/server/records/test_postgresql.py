"""The record store in PostgreSQL: who may do what, and what servers go through. What every store does: test_store."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import yaml
from typer.testing import CliRunner

from closewatch.cli import main
from closewatch.core.records import Chain, Store, StoreError
from closewatch.core.records.verify import faults
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.kinds import load
from closewatch.work.schedule import Schedule
from tests.fixtures.secrets import NEVER_SHOWN
from tests.server.records.stores import CHAIN, READER, WORKER, Place, add, in_database, settings


def as_role(place: Place, role: str, statement: str) -> None:
    """Run a statement as a role of ours."""
    text = psycopg.conninfo.make_conninfo(place.keys["owner"], user=role, password=NEVER_SHOWN)
    with psycopg.connect(text, autocommit=True) as connection:
        connection.execute("SET search_path = closewatch")
        connection.execute(statement.encode())


def test_records_are_kept_on_every_version(postgres_server: PostgresServer, tmp_path: Path):
    with in_database(postgres_server, tmp_path) as place:
        store = place.open()
        for number in range(3):
            add(store, float(number * 10))
        assert store.expire(15.0) == 2
        assert list(faults(CHAIN, place.open(read_only=True).records(CHAIN))) == []


@pytest.fixture
def server(new_postgres: Callable[..., PostgresServer]) -> PostgresServer:
    """A server of the test's own, to be stopped and the like."""
    return new_postgres()


@pytest.fixture
def place(server: PostgresServer, tmp_path: Path) -> Iterator[Place]:
    """A store in it."""
    with in_database(server, tmp_path) as found:
        yield found


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (WORKER, "DELETE FROM record"),
        (WORKER, "TRUNCATE record"),
        (WORKER, "UPDATE record SET header = header"),
        (WORKER, "UPDATE head SET document = ''"),
        (WORKER, "DELETE FROM head"),
        (WORKER, "DELETE FROM lease"),
        (WORKER, "ALTER TABLE record DISABLE TRIGGER USER"),
        (WORKER, "DROP TRIGGER stays ON record"),
        (WORKER, "UPDATE format SET version = 2"),
        (WORKER, "CREATE TABLE another (a int)"),
        (READER, "UPDATE record SET payload = NULL"),
        (READER, "INSERT INTO copy VALUES ('a', 'b')"),
        (READER, "UPDATE lease SET until = 0"),
    ],
)
def test_a_role_may_do_what_it_has_to_and_no_more(database: Place, role: str, statement: str):
    add(database.open(), 0.0)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_role(database, role, statement)


def test_the_workers_payloads_only_go(database: Place):
    add(database.open(), 0.0)
    with pytest.raises(psycopg.errors.RestrictViolation):
        as_role(database, WORKER, "UPDATE record SET payload = '{}'")
    as_role(database, WORKER, "UPDATE record SET payload = NULL")


def test_without_tables_or_rights_the_remedy_is_said(newest_postgres: PostgresServer, database: Place):
    database.force("DROP SCHEMA closewatch CASCADE")
    for _ in range(2):
        with pytest.raises(StoreError, match="the tables are not there: run what `closewatch records schema` prints"):
            database.open()
        database.force("CREATE SCHEMA IF NOT EXISTS closewatch")
    database.force("CREATE TABLE closewatch.format (version integer)")
    database.force(f'GRANT USAGE ON SCHEMA closewatch TO "{READER}"')
    with pytest.raises(StoreError, match="the role may not do that: run what"):
        database.open(read_only=True)
    database.force(f'GRANT SELECT ON closewatch.format TO "{READER}"')
    with pytest.raises(StoreError, match="its tables are not of this version of closewatch"):
        database.open(read_only=True)
    assert newest_postgres.running


def test_another_password_and_nobody_there(database: Place, tmp_path: Path):
    wrong = tmp_path / "wrong"
    wrong.write_text("another-password")
    with pytest.raises(StoreError, match="authentication") as said:
        settings({**database.keys, "secret": str(wrong)}, WORKER).store(read_only=False)
    assert "another-password" not in str(said.value)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = {**database.keys, "hosts": [f"127.0.0.1:{free.getsockname()[1]}"]}
        with pytest.raises(StoreError, match="refused"):
            settings(nobody, WORKER).store(read_only=False)


def test_a_server_that_restarts_costs_no_more_than_its_absence(server: PostgresServer, place: Place):
    store = place.open()
    add(store, 0.0)
    server.restart()
    assert len(store.newest(CHAIN, 9)) == 1, "its end was noticed before it was asked"
    lease = store.lease(CHAIN, "me", 60)
    server.kill()
    with pytest.raises(StoreError):
        store.renew(lease, 60)
    with pytest.raises(StoreError):
        store.newest(CHAIN)
    server.start()
    assert store.renew(lease, 60), "the lease is where it was"
    assert list(faults(CHAIN, store.records(CHAIN))) == []


def test_a_server_that_hangs_keeps_nobody_waiting_for_long(server: PostgresServer, place: Place):
    worker, reader = place.open(), place.open(read_only=True)
    server.pause()
    try:
        for store, limit in ((reader, 2.0), (worker, 5.0)):
            began = time.monotonic()
            with pytest.raises(StoreError):
                store.newest(CHAIN)
            assert time.monotonic() - began < limit + 10
        for _ in range(3):
            with pytest.raises(StoreError, match="timeout"):
                reader.newest(CHAIN)
        began = time.monotonic()
        with pytest.raises(StoreError, match="timeout"):
            reader.newest(CHAIN)
        assert time.monotonic() - began < 1, "what hung twice is not waited for at each scrape"
    finally:
        server.resume()
    wait_until(lambda: _answers(reader), 40, "it is asked again")


def test_only_the_primary_is_written_to(server: PostgresServer, place: Place):
    standby = server.add_standby("records-standby").start()
    try:
        both = {**place.keys, "hosts": [standby.address, server.address]}
        worker = settings(both, WORKER).store(read_only=False)
        add(worker, 0.0)
        alone = {**place.keys, "hosts": [standby.address]}
        with pytest.raises(StoreError, match="only a standby answers, which can't be written to"):
            settings(alone, WORKER).store(read_only=False)
        wait_until(lambda: _count(alone) == 1, 20, "it is on the standby too")
        reader = settings(alone, READER).store(read_only=True)
        assert reader.unwritable()
        reader.close()
        worker.close()
    finally:
        standby.remove()


def test_commits_wait_for_the_disk(database: Place):
    database.force(f'ALTER ROLE "{WORKER.replace(chr(34), chr(34) * 2)}" SET synchronous_commit = off')
    store = database.open()
    assert store._rows("SHOW synchronous_commit") == [("on",)]


def _answers(store: Store) -> bool:
    try:
        store.newest(CHAIN)
    except StoreError:
        return False
    return True


def _count(keys: dict[str, object]) -> int:
    try:
        store = settings(keys, READER).store(read_only=True)
    except StoreError:
        return 0
    found = len(store.newest(CHAIN, 9))
    store.close()
    return found


def test_the_command_prints_what_makes_the_tables(database: Place):
    database.force("DROP SCHEMA closewatch CASCADE")
    printed = CliRunner().invoke(main, ["records", "schema", "--worker", WORKER, "--reader", READER]).output
    with psycopg.connect(database.keys["owner"], autocommit=True) as connection:
        connection.execute(printed.encode())
    add(database.open(), 0.0)
    assert len(database.open(read_only=True).newest(CHAIN)) == 1


def test_two_workers_share_what_is_due(database: Place, tmp_path: Path):
    """On two hosts, each with its own configuration: a check runs once, and both see that it did."""
    records = {"postgresql": {**database.keys, "user": WORKER, "password": {"file": database.keys["secret"]}}}
    for name in ("secret", "owner"):
        del records["postgresql"][name]
    (tmp_path / "dumps").mkdir()
    target = {"kind": "restores", "name": "acme", "database": "acme", "every": 3600}
    target["origin"] = {"dump": {"folder": {"path": str(tmp_path / "dumps")}}}
    path = tmp_path / "c.yml"
    path.write_text(yaml.safe_dump({"environment": "test", "targets": [target], "records": records}))
    schedules = [Schedule(config := load(path), config.records.store(read_only=False), 2) for _ in range(2)]
    ends = [threading.Event() for _ in schedules]
    threads = [
        threading.Thread(target=schedule.run, args=(end.wait,)) for schedule, end in zip(schedules, ends, strict=True)
    ]
    for thread in threads:
        thread.start()
    reader = database.open(read_only=True)
    chain = Chain("restore", "restores", "acme")
    wait_until(lambda: bool(reader.newest(chain)), 30, "it was checked")
    time.sleep(6)  # both look again
    for end, thread, schedule in zip(ends, threads, schedules, strict=True):
        end.set()
        thread.join(30)
        schedule.worker.store.close()
    assert [(record.sequence, record.reason) for record in reader.newest(chain, 9)] == [(1, "no_backup")]
