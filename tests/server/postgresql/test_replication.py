"""The collectors `replication` and `receiver` on a real pair: quiet, paused, silent, cut, and what is no standby."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from closewatch.engines.binaries import client_program
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.postgresql.receiver import RECEIVER
from closewatch.postgresql.replication import REPLICATION
from tests.server.postgresql.conftest import Link
from tests.server.postgresql.watching import Watcher

Watch = Callable[..., Watcher]
LAG = "postgresql_replication_lag_seconds"
BYTES = "postgresql_replication_lag_bytes"
REPLAY_LAG = "postgresql_standby_replay_lag_seconds"
SENDERS = "SELECT application_name, state, replay_lsn IS NOT NULL FROM pg_stat_replication ORDER BY 1"


def write(server: PostgresServer, size: int = 10_000) -> None:
    """Write WAL: a message that means nothing to anybody."""
    server.sql("postgres", f"SELECT pg_logical_emit_message(true, 'test', repeat('x', {size}))")


def grows(watcher: Watcher, collector, name: str) -> None:
    """The value rises from one look to the next, twice."""
    for _ in range(2):
        (before,) = watcher.ask(collector).all(name) or [0.0]
        wait_until(lambda before=before: watcher.ask(collector).one(name) > before, 20, f"{name} grows")


def test_all_streams(link: Link, watch: Watch):
    facts = watch(link.primary).ask(REPLICATION)
    assert facts.one("postgresql_replication_streaming", standby="follower") == 1
    assert facts.one("postgresql_standbys_streaming") == 1
    assert facts.one("postgresql_standbys_expected") == 1
    assert facts.labels(BYTES, "standby") == ["follower"]
    facts = watch(link.standby).ask(RECEIVER)
    assert facts.one("postgresql_replication_link_up", member=link.standby.address) == 1
    assert facts.one("postgresql_replication_replay_paused") == 0
    assert facts.one("postgresql_replication_last_message_timestamp_seconds") > 1e9


@pytest.mark.parametrize("last", ["SELECT pg_switch_wal()", "CHECKPOINT", "CREATE TABLE quiet (); DROP TABLE quiet"])
def test_on_a_quiet_primary_the_lag_is_zero_not_absent_and_not_growing(link: Link, watch: Watch, last: str):
    primary, standby = watch(link.primary), watch(link.standby)
    link.primary.sql("postgres", last)
    link.well()
    empty = "SELECT count(*) FROM pg_stat_replication WHERE replay_lag IS NULL"
    wait_until(lambda: link.primary.value("postgres", empty) == 1, 20, "the server measures no lag any more")
    for _ in range(3):
        facts = primary.ask(REPLICATION)
        assert (facts.all(LAG), facts.all(BYTES)) == ([0.0], [0.0])
        facts = standby.ask(RECEIVER)
        assert (facts.all(REPLAY_LAG), facts.all("postgresql_replication_unreplayed_bytes")) == ([0.0], [0.0])


def test_paused_replay_is_lag_on_both_sides(link: Link, watch: Watch):
    primary, standby = watch(link.primary), watch(link.standby)
    assert (primary.ask(REPLICATION).one(LAG), standby.ask(RECEIVER).one(REPLAY_LAG)) == (0, 0)
    link.standby.sql("postgres", "SELECT pg_wal_replay_pause()")
    standby.until(RECEIVER, "replay is paused", "postgresql_replication_replay_paused", 1)
    write(link.primary)
    grows(primary, REPLICATION, LAG)
    grows(standby, RECEIVER, REPLAY_LAG)
    facts = standby.ask(RECEIVER)
    assert facts.one("postgresql_replication_unreplayed_bytes") >= 10_000
    assert facts.one("postgresql_replication_link_up") == 1
    facts = primary.ask(REPLICATION)
    assert facts.one(BYTES) >= 10_000
    assert facts.one("postgresql_standbys_streaming") == 1
    link.well()
    assert (primary.ask(REPLICATION).one(LAG), standby.ask(RECEIVER).one(REPLAY_LAG)) == (0, 0)


def test_a_silent_link_shows_as_lag_before_the_server_notices(link: Link, watch: Watch):
    """Both ends still say "streaming", and the primary's replay_lag keeps the last figure that it measured."""
    primary = watch(link.primary)
    assert primary.ask(REPLICATION).one(LAG) == 0
    link.proxy.pause()
    write(link.primary)
    grows(primary, REPLICATION, LAG)
    facts = primary.ask(REPLICATION)
    assert facts.one("postgresql_replication_streaming") == 1
    assert facts.one(BYTES) >= 10_000


def test_a_frozen_standby_shows_as_lag(link: Link, watch: Watch):
    primary = watch(link.primary)
    assert primary.ask(REPLICATION).one(LAG) == 0
    link.standby.pause()
    write(link.primary)
    grows(primary, REPLICATION, LAG)
    link.standby.resume()
    link.well()
    assert primary.ask(REPLICATION).one(LAG) == 0


def test_a_silent_link_ends_at_the_timeouts(link: Link, watch: Watch):
    primary, standby = watch(link.primary), watch(link.standby)
    primary.ask(REPLICATION)
    standby.ask(RECEIVER)
    link.primary.configure(wal_sender_timeout="1500ms")
    link.standby.configure(wal_receiver_timeout="1500ms")
    try:
        heard = standby.ask(RECEIVER).one("postgresql_replication_last_message_timestamp_seconds")
        link.proxy.pause()
        standby.until(RECEIVER, "the standby gives up", "postgresql_replication_link_up", 0)
        primary.until(REPLICATION, "the primary gives up", "postgresql_standbys_streaming", 0)
        assert primary.ask(REPLICATION).all(LAG) == []
        assert standby.ask(RECEIVER).all("postgresql_replication_last_message_timestamp_seconds") == []
        grows(standby, RECEIVER, REPLAY_LAG)
        now = link.standby.value("postgres", "SELECT extract(epoch FROM now())::float8")
        assert standby.ask(RECEIVER).one(REPLAY_LAG) <= now - heard + 20  # since the link was alive, not since a commit
    finally:
        link.primary.configure(wal_sender_timeout=None)
        link.standby.configure(wal_receiver_timeout=None)


def test_a_cut_link_is_down_and_the_standby_missing(link: Link, watch: Watch):
    primary, standby = watch(link.primary), watch(link.standby)
    standby.ask(RECEIVER)
    link.proxy.refuse()
    primary.until(REPLICATION, "the standby is missed", "postgresql_standbys_streaming", 0)
    facts = primary.ask(REPLICATION)
    assert facts.all(LAG) == facts.all(BYTES) == facts.all("postgresql_replication_streaming") == []
    assert facts.one("postgresql_standbys_expected") == 1
    standby.until(RECEIVER, "the link is down", "postgresql_replication_link_up", 0)
    facts = standby.ask(RECEIVER)
    assert facts.one("postgresql_replication_unreplayed_bytes") == 0  # which is why this alone proves nothing
    grows(standby, RECEIVER, REPLAY_LAG)
    link.well()
    assert standby.ask(RECEIVER).one(REPLAY_LAG) == 0


def test_a_standby_that_has_just_come_is_there_though_nothing_is_written(link: Link, watch: Watch):
    link.proxy.cut()
    primary = watch(link.primary)
    primary.until(REPLICATION, "the standby is back", LAG, 0)


@contextmanager
def another_standby(link: Link, name: str, called: str) -> Iterator[PostgresServer]:
    standby = link.primary.add_standby(f"{name}{link.primary.major}", application_name=called)
    try:
        yield standby.start()
    finally:
        standby.remove()


def test_two_standbys_of_one_name_are_two_series(link: Link, watch: Watch):
    with another_standby(link, "namesake", "follower"):
        primary = watch(link.primary)
        facts = primary.until(REPLICATION, "both stream", "postgresql_standbys_streaming", 2)
        assert set(facts.labels(LAG, "standby")) == {"follower 127.0.0.1", "follower 127.0.0.1 #2"}


def test_a_standby_with_a_hostile_name(link: Link, watch: Watch):
    name = 'x"} 1 {</b>} #2 ' + "y" * 60
    with another_standby(link, "hostile", name):
        facts = watch(link.primary).until(REPLICATION, "both stream", "postgresql_standbys_streaming", 2)
        assert sorted(facts.labels(LAG, "standby")) == ["follower", name[:63]]


def sender(link: Link, name: str) -> bool:
    return any(row[0] == name and row[1] == "streaming" for row in link.primary.sql("postgres", SENDERS))


def test_who_only_takes_wal_is_no_standby(link: Link, watch: Watch, tmp_path: Path):
    tmp_path.chmod(0o700)
    program = client_program("pg_receivewal", link.primary.major)
    command = [program, "-D", tmp_path, "-d", link.primary.dsn(), "-s", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as receiver:
        try:
            wait_until(lambda: sender(link, "pg_receivewal"), 20, "pg_receivewal streams")
            write(link.primary)
            facts = watch(link.primary).ask(REPLICATION)
            assert facts.one("postgresql_standbys_streaming") == 1
            assert set(facts.labels(BYTES, "standby")) == {"follower"}
        finally:
            receiver.terminate()


def test_a_subscriber_is_no_standby(lively: PostgresServer, watch: Watch):
    """It reports what it has applied, as a standby does; its slot tells it apart."""
    lively.create_database("published")
    lively.create_database("subscribed")
    lively.sql("published", "CREATE TABLE t (a int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t")
    lively.sql("published", "SELECT pg_create_logical_replication_slot('subscription', 'pgoutput')")
    lively.sql("subscribed", "CREATE TABLE t (a int PRIMARY KEY)")
    dsn = psycopg.conninfo.make_conninfo(lively.dsn("published"), application_name="subscriber", connect_timeout=None)
    options = "create_slot = false, slot_name = 'subscription', copy_data = false"
    try:
        with lively.connect("subscribed") as connection:
            connection.execute(f"CREATE SUBSCRIPTION s CONNECTION '{dsn}' PUBLICATION p WITH ({options})".encode())
        lively.sql("published", "INSERT INTO t VALUES (1)")
        reported = ("subscriber", "streaming", True)
        wait_until(
            lambda: reported in lively.sql("postgres", SENDERS), 20, "the subscriber reports what it has applied"
        )
        facts = watch(lively).ask(REPLICATION)
        assert facts.one("postgresql_standbys_streaming") == 0
        assert facts.all(BYTES) == []
    finally:
        with lively.connect("subscribed") as connection:
            connection.execute("DROP SUBSCRIPTION IF EXISTS s")
        lively.drop_database("subscribed")
        lively.drop_database("published")


def test_a_standby_fed_from_an_archive_has_no_link(link: Link, watch: Watch):
    settings = {"primary_conninfo": "", "restore_command": "false"}
    standby = link.primary.add_standby(f"archive{link.primary.major}", settings=settings)
    try:
        facts = watch(standby.start()).ask(RECEIVER)
        assert facts.all("postgresql_replication_link_up") == []
        assert facts.all("postgresql_replication_unreplayed_bytes") == []
        assert facts.one("postgresql_replication_replay_paused") == 0
    finally:
        standby.remove()
