"""restic: the real program on a repository in a folder, and programs that behave badly."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from closewatch.engines.process import wait_until
from tests.fixtures.archiving import program
from tests.fixtures.servers import missing
from tests.fixtures.watch import Watched

pytestmark = [pytest.mark.server, pytest.mark.slow]
Watching = Callable[..., Watched]
SUCCESS = "backup_last_success_timestamp_seconds"
LOCKED = "backup_repository_locked_since_timestamp_seconds"
PASSWORD = "restic-password-never-to-be-seen"


class Repository:
    """A repository, and the program with its password."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self.path = folder / "repository"
        self.password = folder / "repository-password"
        self.password.write_text(PASSWORD + "\n")
        self.environment = {**os.environ, "RESTIC_REPOSITORY": str(self.path), "RESTIC_PASSWORD": PASSWORD}
        self.data = folder / "data"
        self.data.mkdir()
        (self.data / "filestore").write_bytes(os.urandom(400_000))

    def run(self, *arguments: str) -> str:
        command = [self.program, "--no-cache", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def back_up(self, *more: str) -> None:
        with (self.data / "filestore").open("ab") as file:
            file.write(os.urandom(1000))
        self.run("backup", *more, str(self.data))

    def slow_backup(self) -> subprocess.Popen[bytes]:
        """A backup that is under way until its input ends."""
        command = [self.program, "--no-cache", "backup", "--stdin"]
        process = subprocess.Popen(
            command, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        wait_until(self.locks, 30, "it has its lock")
        return process

    def locks(self) -> list[str]:
        return sorted(path.name for path in (self.path / "locks").iterdir() if len(path.name) == 64)

    def target(self, **more: Any) -> dict[str, Any]:
        place = {
            "repository": str(self.path), "password": {"file": str(self.password)}, "command": [self.program], **more,
        }  # fmt: skip
        return {"kind": "backups", "name": "files", "restic": place}


@pytest.fixture
def repository(tmp_path: Path, pytestconfig: pytest.Config) -> Repository:
    found = program("restic")
    if not found:
        missing(pytestconfig, "restic is not at hand")
    made = Repository(found, tmp_path)
    made.run("init")
    return made


def test_the_real_program(repository: Repository, watching: Watching):
    facts = watching(repository.target()).ask("files")
    assert (facts.up, facts.failing, facts.all(SUCCESS)) == (True, {}, [])
    for _ in range(3):
        repository.back_up("--host", "one", "--tag", "filestore")
    repository.back_up("--host", "other")
    facts = watching(repository.target()).ask("files")
    assert facts.failing == {}
    assert facts.one("backup_kept", type="snapshot") == 4
    assert facts.one(SUCCESS, type="snapshot") == pytest.approx(time.time(), abs=60)
    assert facts.one("backup_encrypted") == 1
    assert facts.all(LOCKED) == []
    assert facts.all("backup_recoverable_from_timestamp_seconds") == []
    for narrowed, kept in (
        ({"host": "one"}, [3]),
        ({"host": "other"}, [1]),
        ({"tags": ["filestore"]}, [3]),
        ({"tags": ["filestore", "none"]}, []),
        ({"path": str(repository.data)}, [4]),
        ({"host": "nobody"}, []),
    ):
        assert watching(repository.target(**narrowed)).ask("files").all("backup_kept") == kept, narrowed


def test_a_backup_under_way_is_not_disturbed(repository: Repository, watching: Watching):
    repository.back_up()
    process = repository.slow_backup()
    before = repository.locks()
    facts = watching(repository.target()).ask("files")
    assert facts.up
    assert facts.one(LOCKED) == pytest.approx(time.time(), abs=60)
    assert repository.locks() == before
    assert process.stdin
    process.stdin.write(b"the rest")
    process.communicate(timeout=30)
    assert process.returncode == 0
    facts = watching(repository.target()).ask("files")
    assert (facts.one("backup_kept", type="snapshot"), facts.all(LOCKED)) == (2, [])


def test_a_lock_that_was_left_behind(repository: Repository, watching: Watching):
    repository.back_up()
    process = repository.slow_backup()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    before = repository.locks()
    assert len(before) == 1
    facts = watching(repository.target()).ask("files")
    assert facts.one(LOCKED) == pytest.approx(time.time(), abs=60)
    assert facts.one("backup_kept", type="snapshot") == 1
    assert repository.locks() == before  # it is for a person to remove it


def test_a_wrong_password_and_no_repository(repository: Repository, watching: Watching, caplog):
    repository.back_up()
    assert watching(repository.target(repository=str(repository.folder / "no"))).ask("files").reason == "not_found"
    repository.password.write_text("another-password-of-nobody")
    facts = watching(repository.target()).ask("files")
    assert (facts.reason, facts.all(SUCCESS)) == ("authentication", [])
    repository.password.unlink()
    assert watching(repository.target()).ask("files").reason == "secret"
    assert PASSWORD not in caplog.text
    assert "another-password" not in caplog.text


def test_a_repository_that_is_damaged(repository: Repository, watching: Watching):
    repository.back_up()
    for path in (repository.path / "snapshots").iterdir():
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-20])
    facts = watching(repository.target()).ask("files")
    assert facts.all(SUCCESS) == []  # what can't be read is no backup
    shutil.rmtree(repository.path / "keys")
    assert watching(repository.target()).ask("files").up is False


BAD = {
    "hung": ("sleep 600", "timeout"),
    "nonsense": ("echo 'loading'; echo '[{'", "invalid_answer"),
    "nothing": ("true", "invalid_answer"),
    "another form": ("echo '{\"message\": 1}'", "invalid_answer"),
    "snapshots of another form": ("echo '[{\"time\": 5}]'", "invalid_answer"),
    "no repository": ("exit 10", "not_found"),
    "locked": ("exit 11", "server_error"),
    "a wrong password": ("exit 12", "authentication"),
    "an error": ("echo 'a name of ours' >&2; exit 1", "server_error"),
    "killed": ("kill -9 $$", "server_error"),
}


@pytest.mark.parametrize(("script", "reason"), BAD.values(), ids=BAD)
def test_a_program_that_behaves_badly(tmp_path: Path, watching: Watching, script: str, reason: str, caplog):
    bad = tmp_path / "restic"
    bad.write_text(f"#!/bin/sh\n{script}\n")
    bad.chmod(0o755)
    (tmp_path / "repository-password").write_text(PASSWORD)
    place = {"repository": "/r", "password": {"file": "repository-password"}, "command": [str(bad)]}
    facts = watching({"kind": "backups", "name": "files", "restic": place}).ask("files", timeout=3.0)
    assert (facts.reason, facts.all(SUCCESS)) == (reason, [])
    assert "a name of ours" not in caplog.text


def test_a_program_that_is_not_there(repository: Repository, watching: Watching):
    assert watching(repository.target(command=["no-restic-here"])).ask("files").reason == "not_found"
