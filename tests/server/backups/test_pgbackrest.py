"""pgBackRest: the real program with a server that archives, and programs that behave as badly as programs do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.watch import Watched
from tests.server.backups.conftest import Repository

pytestmark = [pytest.mark.server, pytest.mark.slow]
Watching = Callable[..., Watched]
SUCCESS = "backup_last_success_timestamp_seconds"
FROM, UNTIL = "backup_recoverable_from_timestamp_seconds", "backup_recoverable_until_timestamp_seconds"
MISSING = "backup_wal_missing_segments"


def test_the_real_program(repository: Repository, watching: Watching):
    assert watching(repository.target()).ask("main").reason == "not_found"  # no stanza yet
    repository.run("stanza-create")
    facts = watching(repository.target()).ask("main")
    assert facts.up
    assert facts.labels("backup_repository_info", "status") == ["no_backups"]
    assert facts.all(SUCCESS) == []
    for kind in ("full", "diff", "incr"):
        repository.run("backup", f"--type={kind}")
    facts = watching(repository.target()).ask("main")
    assert facts.failing == {}
    for kind in ("full", "diff", "incr"):
        assert facts.one(SUCCESS, type=kind) == pytest.approx(time.time(), abs=120)
        assert facts.one("backup_size_bytes", type=kind) > 5_000_000
        assert facts.one("backup_duration_seconds", type=kind) >= 0
    # The server has page checksums or not: verified is said only where they were looked at.
    sums = repository.server.value("postgres", "SHOW data_checksums") == "on"
    assert facts.all("backup_verified", by="page_checksums") == ([1, 1, 1] if sums else facts.all("backup_verified"))
    assert facts.one("backup_seen", state="good") == 3
    assert facts.labels("backup_repository_info", "status") == ["ok"]
    # From the oldest whose WAL is there to when the newest segment came.
    assert facts.one(FROM) == facts.one(SUCCESS, type="full")
    assert facts.one(SUCCESS, type="incr") - 2 <= facts.one(UNTIL) <= time.time()
    assert facts.one(MISSING) == 0
    assert facts.one("backup_encrypted") == 0
    assert [facts.one("backup_kept", type=kind) for kind in ("full", "diff", "incr")] == [1, 1, 1]
    assert watching(repository.target(repo=2)).ask("main").reason == "server_error"
    assert watching(repository.target(stanza="other")).ask("main").reason == "not_found"


def test_a_repository_that_is_encrypted(repository: Repository, watching: Watching):
    folder = repository.run_folder.folder("pgbackrest-encrypted", private_to=repository.run_folder.user)
    lines = repository.config.read_text().splitlines()
    lines = [f"repo1-path={folder}" if line.startswith("repo1-path=") else line for line in lines]
    lines.insert(1, "repo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=of-nobody")
    config = repository.run_folder.path / "pgbackrest-encrypted.conf"
    config.write_text("\n".join(lines) + "\n")
    other = Repository(repository.run_folder, repository.program, repository.server, config)
    other.run("stanza-create")
    other.run("backup", "--type=full", "--no-archive-check")
    facts = watching(other.target()).ask("main")
    assert (facts.one("backup_encrypted"), facts.one("backup_kept", type="full")) == (1, 1)
    # Its WAL went to the other repository: nothing can be rolled forward here.
    assert facts.all("backup_recoverable_from_timestamp_seconds") == []


def test_a_page_with_a_wrong_checksum(repository: Repository, watching: Watching):
    server = repository.server
    if server.value("postgres", "SHOW data_checksums") != "on":
        server.stop()
        program = str(server.binaries.path / "pg_checksums")
        done = repository.run_folder.call(
            [program, "--enable", "-D", str(server.data)], user=server.run.user, timeout=60
        )
        assert done.returncode == 0, done.stderr
        server.start()
    server.sql("postgres", "CREATE TABLE IF NOT EXISTS t AS SELECT n FROM generate_series(1, 5000) AS n; CHECKPOINT")
    file = server.data / server.value("postgres", "SELECT pg_relation_filepath('t')")
    server.stop()
    data = bytearray(file.read_bytes())
    data[5000] ^= 0xFF
    file.write_bytes(data)
    server.start()
    repository.run("stanza-create")
    repository.run("backup", "--type=full", "--log-level-console=error")
    facts = watching(repository.target()).ask("main")
    assert facts.labels("backup_last_failure_timestamp_seconds", "reason") == ["page_checksum"]
    assert facts.one("backup_verified", type="full") == 0


BAD = {
    "hung": ("sleep 600", "timeout"),
    "nonsense": ("echo 'P00 WARN: something'; echo '[{]'", "invalid_answer"),
    "nothing": ("true", "invalid_answer"),
    "another form": ('echo \'[{"name": "main", "backup": 5}]\'', "invalid_answer"),
    "not this stanza": ("echo '[]'", "not_found"),
    "an error": ("echo 'ERROR: [099]: a name of ours' >&2; exit 99", "server_error"),
    "no right": ("exit 41", "permission"),
    "no configuration": ("exit 55", "not_found"),
    "killed": ("kill -9 $$", "server_error"),
    "without end": ("yes 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'", "invalid_answer"),
}


@pytest.mark.parametrize(("script", "reason"), BAD.values(), ids=BAD)
def test_a_program_that_behaves_badly(tmp_path: Path, watching: Watching, script: str, reason: str, caplog):
    program = tmp_path / "pgbackrest"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    target = {"kind": "backups", "name": "main", "pgbackrest": {"stanza": "main", "command": [str(program)]}}
    facts = watching(target).ask("main", timeout=3.0)
    assert facts.reason == reason
    assert facts.all(SUCCESS) == []
    assert "a name of ours" not in caplog.text


def test_a_program_that_is_not_there(watching: Watching):
    target = {"kind": "backups", "name": "main", "pgbackrest": {"stanza": "main", "command": ["no-pgbackrest-here"]}}
    assert watching(target).ask("main").reason == "not_found"
