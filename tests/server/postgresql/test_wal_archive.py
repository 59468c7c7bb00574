"""The collector `wal_archive` on real servers: archived, failing, hanging, without a command, off."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.postgresql.wal_archive import WAL_ARCHIVE
from tests.fixtures.watch import Facts
from tests.server.postgresql.watching import Watcher

Watch = Callable[..., Watcher]
P = "postgresql_wal_archive_"


@pytest.fixture
def archive(lively: PostgresServer) -> Iterator[Callable[[str], None]]:
    """Sets the archive_command; in the end all is archived."""

    def command(text: str) -> None:
        lively.configure(archive_command=text)
        wait_until(lambda: lively.value("postgres", "SHOW archive_command") == text, 20, "the command is set")

    yield command
    command("/bin/true")
    ready = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%%.ready'"
    wait_until(lambda: lively.value("postgres", ready, []) == 0 or complete_segment(lively), 90, "all is archived", 0.2)


def complete_segment(server: PostgresServer) -> None:
    """Complete a segment; that also wakes an archiver that sleeps for a minute after its failures."""
    server.sql("postgres", "SELECT pg_logical_emit_message(false, 'test', 'x')")
    server.sql("postgres", "SELECT pg_switch_wal()")


@pytest.mark.usefixtures("archive")
def test_archived(lively: PostgresServer, watch: Watch):
    watcher = watch(lively)
    before = watcher.ask(WAL_ARCHIVE).one(P + "successes_total")
    complete_segment(lively)
    wait_until(lambda: watcher.ask(WAL_ARCHIVE).one(P + "successes_total") > before, 90, "a segment is archived")
    watcher.until(WAL_ARCHIVE, "nothing waits", P + "waiting_segments", 0)
    facts = watcher.ask(WAL_ARCHIVE)
    assert facts.one(P + "enabled") == 1
    assert facts.one(P + "last_success_timestamp_seconds") > 1e9
    assert facts.all(P + "oldest_waiting_timestamp_seconds") == []


def now(server: PostgresServer) -> float:
    return server.value("postgres", "SELECT extract(epoch FROM clock_timestamp())::float8")


def assert_nothing_counted(facts: Facts, since: float) -> None:
    """By the times, because versions before 15 count with a delay."""
    for last in ("last_success_timestamp_seconds", "last_failure_timestamp_seconds"):
        assert all(at <= since for at in facts.all(P + last)), last


def test_a_failing_command_counts_failures_and_makes_files_wait(lively: PostgresServer, watch: Watch, archive):
    watcher = watch(lively)
    before = watcher.ask(WAL_ARCHIVE).one(P + "failures_total")
    archive("false")
    complete_segment(lively)
    wait_until(lambda: watcher.ask(WAL_ARCHIVE).one(P + "failures_total") > before, 90, "a failure is counted")
    facts = watcher.ask(WAL_ARCHIVE)
    assert facts.one(P + "enabled") == 1
    assert facts.one(P + "waiting_segments") >= 1
    assert facts.one(P + "oldest_waiting_timestamp_seconds") > 1e9
    assert facts.one(P + "last_failure_timestamp_seconds") >= facts.one(P + "oldest_waiting_timestamp_seconds") - 1


def test_a_hanging_command_counts_nothing_and_its_oldest_file_stays(lively: PostgresServer, watch: Watch, archive):
    watcher = watch(lively)
    hold = lively.data / "hold"
    hold.touch()
    try:
        archive("while test -e hold; do sleep 0.1; touch hangs; done")
        complete_segment(lively)
        wait_until((lively.data / "hangs").exists, 90, "the command hangs")
        since = now(lively)
        oldest = watcher.ask(WAL_ARCHIVE).one(P + "oldest_waiting_timestamp_seconds")
        complete_segment(lively)
        facts = watcher.until(WAL_ARCHIVE, "two wait", P + "waiting_segments", 2)
        assert facts.one(P + "oldest_waiting_timestamp_seconds") == oldest
        assert_nothing_counted(facts, since)
    finally:
        hold.unlink()
        (lively.data / "hangs").unlink(missing_ok=True)


def test_without_a_command_files_wait_and_it_is_not_enabled(lively: PostgresServer, watch: Watch, archive):
    watcher = watch(lively)
    archive("")
    complete_segment(lively)
    since = now(lively)
    facts = watcher.until(WAL_ARCHIVE, "it is not enabled", P + "enabled", 0)
    assert facts.one(P + "waiting_segments") >= 1
    assert facts.one(P + "oldest_waiting_timestamp_seconds") > 1e9
    assert_nothing_counted(facts, since)


def test_archiving_is_off(postgres_server: PostgresServer, watch: Watch):
    facts = watch(postgres_server, "postgres", postgres_server.password).ask(WAL_ARCHIVE)
    assert facts.one(P + "enabled") == 0
    assert facts.all(P + "waiting_segments") == []
    assert facts.all(P + "last_success_timestamp_seconds") == []


@pytest.mark.pg(">=15")
def test_a_library_in_place_of_a_command(new_postgres: Callable[..., PostgresServer], watch: Watch):
    server = new_postgres(archive_mode="on", archive_library="basic_archive")
    assert watch(server, "postgres", server.password).ask(WAL_ARCHIVE).one(P + "enabled") == 1
