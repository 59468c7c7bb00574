"""A source that wrote nothing after its last archived segment is told from one that did, by positions in its WAL.

The rule `closewatch:restore_source_idle:target` rests on it: up to 80 bytes after what was recovered are what an idle
server writes by itself, 96 and more hold a commit.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from closewatch.core.checks import Task
from closewatch.core.deadline import Deadline
from closewatch.core.targets import Target
from closewatch.engines.folder import RunFolder
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.postgresql.wal_position import QUERY
from closewatch.restores.run import run
from closewatch.restores.settings import RestoresTarget

pytestmark = [pytest.mark.server, pytest.mark.timeout(180)]
IDLE = 80


@dataclass
class Source:
    """A server that archives into a folder, and a base backup of it."""

    server: PostgresServer
    home: Path

    def archive_all(self) -> None:
        """Complete the segment, and wait until it is in the archive."""
        last = self.server.value("postgres", "SELECT pg_walfile_name(pg_switch_wal())")
        wait_until((self.home / "wal" / last).exists, 30, "the last segment is archived")

    def recovered(self, scratch: Path) -> dict[str, Any]:
        """What the record of a restore test says of the WAL."""
        plan = RestoresTarget.model_validate(
            {
                "kind": "restores",
                "name": "own",
                "origin": {"basebackup": {"path": str(self.home / "base"), "wal": str(self.home / "wal")}},
                "expect": {"odoo": False},
                "amcheck": "none",
                "scratch": str(scratch),
                "disk": 2 * 1024**3,
            }
        )
        target = Target.of("restores", "own", environment="test", cell="own", tenant=None, settings=plan)
        verdict = run(Task(target, (), Deadline.after(120)))
        assert (verdict.result, verdict.payload["wrong"]) == ("passed", [])
        found: dict[str, Any] = verdict.payload["recovered_wal"]
        return found

    def written_after(self, recovered: dict[str, Any]) -> float:
        """Bytes, as the exporter's series say it: those of the same cluster and timeline."""
        ((system, timeline, position),) = self.server.sql("postgres", QUERY.sql)
        assert (system, timeline) == (recovered["system_identifier"], str(recovered["timeline"]))
        return float(position - recovered["position"])


@pytest.fixture
def source(run_folder: RunFolder, new_postgres: Callable[..., PostgresServer]) -> Iterator[Source]:
    home = run_folder.folder("idle", private_to=run_folder.user)
    for name in ("wal", "base", "socket"):
        run_folder.folder(f"idle/{name}", private_to=run_folder.user)
    server = new_postgres(
        archive_mode="on",
        archive_command=f'cp "%p" "{home}/wal/%f.part" && mv "{home}/wal/%f.part" "{home}/wal/%f"',
        unix_socket_directories=str(home / "socket"),
        autovacuum="off",
        checkpoint_timeout="1h",  # one would be written after the switch, and be no idleness
    )
    hba = server.data / "pg_hba.conf"
    hba.write_text("local all all trust\nlocal replication all trust\n" + hba.read_text())
    server.sql("postgres", "SELECT pg_reload_conf()")
    server.sql("postgres", "CREATE TABLE entry (n int)")
    program = str(server.binaries.path / "pg_basebackup")
    dsn = f"host={home / 'socket'} port={server.port} user=postgres"
    command = [program, "-D", str(home / "base" / "one"), "-d", dsn, "-c", "fast", "-X", "none", "--no-sync"]
    done = run_folder.call(command, user=run_folder.user, timeout=60)
    assert done.returncode == 0, done.stderr
    yield Source(server, home)
    shutil.rmtree(home, ignore_errors=True)


def test_an_idle_source_stands_where_the_test_ended(source: Source, scratch_parent: Path) -> None:
    source.server.sql("postgres", "INSERT INTO entry VALUES (1)")
    source.archive_all()
    recovered = source.recovered(scratch_parent)
    assert 0 <= source.written_after(recovered) <= IDLE
    source.server.sql("postgres", "INSERT INTO entry VALUES (2)")
    assert source.written_after(recovered) > IDLE


def test_what_an_idle_server_writes_is_less_than_the_least_that_a_commit_leaves(
    source: Source, scratch_parent: Path
) -> None:
    """That of a transaction whose rows are archived already; within half a minute the server adds a record to it."""
    with source.server.connect("postgres", autocommit=False) as connection:
        connection.execute("INSERT INTO entry VALUES (1)")
        source.server.sql("postgres", "CHECKPOINT")
        source.archive_all()
        recovered = source.recovered(scratch_parent)
        wait_until(lambda: source.written_after(recovered) > 0, 60, "the server wrote its record for standbys", 0.2)
        assert source.written_after(recovered) <= IDLE
        source.archive_all()
        recovered = source.recovered(scratch_parent)
        assert 0 <= source.written_after(recovered) <= IDLE
        connection.commit()
    wait_until(lambda: source.written_after(recovered) > IDLE, 60, "the commit is told from idleness", 0.2)
