"""The collector `slots` on real servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.postgresql.slots import SLOTS
from tests.server.postgresql.watching import Watcher, send

Watch = Callable[..., Watcher]
SEGMENT = 1024 * 1024


@pytest.fixture
def slot(lively: PostgresServer) -> Iterator[Callable[..., str]]:
    """Makes a slot that keeps WAL from now on."""
    made: list[str] = []

    def make(name: str, kind: str = "physical") -> str:
        plugin = "" if kind == "physical" else ", 'pgoutput'"
        now = ", true" if kind == "physical" else ""
        lively.sql("postgres", f"SELECT pg_create_{kind}_replication_slot('{name}'{plugin}{now})")
        made.append(name)
        return name

    yield make
    for name in made:
        lively.sql("postgres", f"SELECT pg_drop_replication_slot('{name}')")


def fill(server: PostgresServer, segments: int) -> None:
    """Write so much WAL, and make the server look at it."""
    for _ in range(segments):
        server.sql("postgres", f"SELECT pg_logical_emit_message(false, 'test', repeat('x', {SEGMENT // 2}))")
        server.sql("postgres", "SELECT pg_switch_wal()")
    server.sql("postgres", "CHECKPOINT")


@pytest.mark.parametrize("kind", ["physical", "logical"])
def test_an_unused_slot_keeps_wal(lively: PostgresServer, watch: Watch, slot, kind: str):
    name = slot("keeper", kind)
    watcher = watch(lively)
    before = watcher.ask(SLOTS).one("postgresql_slot_retained_bytes", slot=name)
    fill(lively, 2)
    facts = watcher.ask(SLOTS)
    assert facts.one("postgresql_slot_retained_bytes", slot=name) >= before + SEGMENT
    assert facts.one("postgresql_slot_active", slot=name) == 0
    (status,) = facts.labels("postgresql_slot_status", "status")
    assert status in {"reserved", "extended"}
    assert facts.all("postgresql_slot_safe_bytes", slot=name) == []  # no limit is set
    assert facts.all("postgresql_slot_invalidated", slot=name) == []


def test_with_a_limit_the_slot_is_lost_and_says_so(lively: PostgresServer, watch: Watch, slot):
    name = slot("loser")
    watcher = watch(lively)
    lively.configure(max_slot_wal_keep_size="2MB")
    try:
        wait_until(lambda: watcher.ask(SLOTS).all("postgresql_slot_safe_bytes", slot=name), 20, "the limit holds")
        assert watcher.ask(SLOTS).one("postgresql_slot_safe_bytes", slot=name) > 0
        fill(lively, 6)
        watcher.until(SLOTS, "the slot is lost", "postgresql_slot_status", 1, slot=name, status="lost")
        facts = watcher.ask(SLOTS)
        assert facts.labels("postgresql_slot_status", "status") == ["lost"]
        assert facts.one("postgresql_slot_invalidated", slot=name, reason="wal_removed") == 1
        assert facts.all("postgresql_slot_retained_bytes", slot=name) == []
    finally:
        lively.configure(max_slot_wal_keep_size=None)


def test_a_slot_that_was_never_used_keeps_nothing(lively: PostgresServer, watch: Watch):
    lively.sql("postgres", "SELECT pg_create_physical_replication_slot('fresh')")
    try:
        facts = watch(lively).ask(SLOTS)
        assert facts.one("postgresql_slot_active", slot="fresh") == 0
        assert facts.all("postgresql_slot_retained_bytes") == facts.all("postgresql_slot_status") == []
    finally:
        lively.sql("postgres", "SELECT pg_drop_replication_slot('fresh')")


def test_temporary_slots_are_left_out(lively: PostgresServer, watch: Watch):
    with lively.connect() as connection:
        connection.execute("SELECT pg_create_physical_replication_slot('passing', true, true)")
        assert watch(lively).ask(SLOTS).samples == []


def test_a_slot_in_use_is_active(lively: PostgresServer, watch: Watch, slot):
    name = slot("used")
    watcher = watch(lively)
    dsn = psycopg.conninfo.make_conninfo(lively.dsn(), replication="true")
    start = lively.value("postgres", f"SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = '{name}'")
    connection = psycopg.connect(dsn, autocommit=True)
    try:
        send(connection, f"START_REPLICATION SLOT {name} PHYSICAL {start}")
        watcher.until(SLOTS, "the slot is active", "postgresql_slot_active", 1, slot=name)
    finally:
        connection.close()
    watcher.until(SLOTS, "the slot is free", "postgresql_slot_active", 0, slot=name)


@pytest.mark.pg(">=17")
def test_since_when_it_is_inactive(lively: PostgresServer, watch: Watch, slot):
    name = slot("since")
    now = lively.value("postgres", "SELECT extract(epoch FROM now())::float8")
    since = watch(lively).ask(SLOTS).one("postgresql_slot_inactive_since_timestamp_seconds", slot=name)
    assert now - 60 < since <= now + 1


@pytest.mark.pg(">=18")
def test_a_slot_that_idled_too_long_is_invalidated(lively: PostgresServer, watch: Watch, slot):
    name = slot("sleeper")
    watcher = watch(lively)
    lively.configure(idle_replication_slot_timeout="1s")
    try:

        def invalidated() -> bool:
            lively.sql("postgres", "CHECKPOINT")
            return watcher.ask(SLOTS).all("postgresql_slot_invalidated", slot=name, reason="idle_timeout") == [1]

        wait_until(invalidated, 20, "the slot is invalidated", interval=0.3)
        assert watcher.ask(SLOTS).labels("postgresql_slot_status", "status") == ["lost"]
    finally:
        lively.configure(idle_replication_slot_timeout=None)


def test_of_many_slots_the_worst_hundred_are_shown(new_postgres: Callable[..., PostgresServer], watch: Watch):
    server = new_postgres(max_replication_slots="110")
    server.sql("postgres", "SELECT pg_create_physical_replication_slot('old', true)")
    server.sql("postgres", "SELECT pg_switch_wal()")
    server.sql(
        "postgres", "SELECT pg_create_physical_replication_slot('slot' || n, true) FROM generate_series(1, 105) n"
    )
    facts = watch(server, "postgres", server.password).ask(SLOTS)
    assert len(facts.all("postgresql_slot_active")) == 100
    assert facts.one("postgresql_slot_active", slot="old") == 0
