"""Barman: the real program with a server that archives, its marks of what is bad, and programs that behave badly."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.archiving import Archiving
from tests.fixtures.servers import missing
from tests.fixtures.watch import Watched

pytestmark = [pytest.mark.server, pytest.mark.slow]
Watching = Callable[..., Watched]
SUCCESS = "backup_last_success_timestamp_seconds"
FROM, UNTIL = "backup_recoverable_from_timestamp_seconds", "backup_recoverable_until_timestamp_seconds"
MISSING = "backup_wal_missing_segments"
_numbers = itertools.count(1)


class Copy:
    """A copy of Barman's home, to be damaged."""

    def __init__(self, of: Archiving) -> None:
        number = next(_numbers)
        self.home = of.home / f"barman-copy{number}"
        shutil.copytree(of.home / "barman", self.home, symlinks=True)
        self.config = of.home / f"barman-copy{number}.conf"
        self.config.write_text(of.barman_config.read_text().replace(str(of.home / "barman"), str(self.home)))
        self.config.chmod(0o644)
        if of.run.user:
            for path in [self.home, *self.home.rglob("*")]:
                shutil.chown(path, of.run.user)
        self.barman = str(of.barman)

    @property
    def xlog(self) -> Path:
        return self.home / "main" / "wals" / "xlog.db"

    @property
    def info(self) -> Path:
        (found,) = (self.home / "main" / "base").glob("*/backup.info")
        return found

    def said(self, key: str) -> str:
        """What Barman keeps of its backup."""
        found = re.search(rf"^{key}=(.*)$", self.info.read_text(), re.MULTILINE)
        assert found
        return found[1]

    def mark(self, status: str) -> None:
        """Give the backup a status of Barman's own."""
        self.info.write_text(re.sub(r"(?m)^status=.*$", f"status={status}", self.info.read_text()))

    def lose(self, name: str) -> None:
        """Take a segment out of the archive, as by hand."""
        lines = self.xlog.read_text().splitlines(keepends=True)
        self.xlog.write_text("".join(line for line in lines if not line.startswith(f"{name}\t")))
        for path in (self.home / "main" / "wals").rglob(name):
            path.unlink()

    def times(self) -> dict[str, float]:
        """When each segment was archived."""
        lines = [line.split("\t") for line in self.xlog.read_text().splitlines()]
        return {name: float(at) for name, _, at, _ in lines if len(name) == 24}

    def target(self, **more: Any) -> dict[str, Any]:
        place = {
            "server": "main", "command": [self.barman], "config": str(self.config),
            "wals": str(self.xlog.parent), "segment_size": 1, **more,
        }  # fmt: skip
        return {"kind": "backups", "name": "main", "barman": place}

    def status(self) -> str:
        return self.said("status")


@pytest.fixture
def copy(archiving: Archiving, pytestconfig: pytest.Config) -> Iterator[Copy]:
    if not archiving.barman:
        missing(pytestconfig, "barman is not at hand")
    made = Copy(archiving)
    yield made
    shutil.rmtree(made.home)


def test_the_real_program(copy: Copy, watching: Watching):
    facts = watching(copy.target()).ask("main")
    assert (facts.up, facts.failing) == (True, {})
    assert facts.one("backup_kept", type="full") == 1
    assert facts.one(SUCCESS, type="full") == pytest.approx(time.time(), abs=600)
    assert facts.one("backup_size_bytes", type="full") > 5_000_000
    assert facts.one("backup_duration_seconds", type="full") >= 0
    assert facts.one(FROM) == facts.one(SUCCESS, type="full")
    assert facts.one(UNTIL) == pytest.approx(max(copy.times().values()), abs=0.01)
    assert facts.one(MISSING) == 0
    assert facts.all("backup_encrypted") == []  # this release doesn't say


def test_a_segment_that_is_gone_ends_the_window(copy: Copy, watching: Watching):
    after = sorted(name for name in copy.times() if name > copy.said("end_wal"))
    copy.lose(after[2])
    facts = watching(copy.target()).ask("main")
    assert facts.one(MISSING) == 1
    assert facts.one(UNTIL) == pytest.approx(copy.times()[after[1]], abs=0.01)
    assert facts.one(FROM) == facts.one(SUCCESS, type="full")


def test_without_its_own_segments_there_is_no_window(copy: Copy, watching: Watching):
    copy.lose(copy.said("end_wal"))
    facts = watching(copy.target()).ask("main")
    assert (facts.all(FROM), facts.all(UNTIL), facts.one(MISSING)) == ([], [], 1)


def test_without_the_folder_of_wal_nothing_is_said_of_holes(copy: Copy, watching: Watching):
    copy.lose(sorted(copy.times())[-2])
    facts = watching(copy.target(wals=None)).ask("main")
    assert facts.all(MISSING) == []
    assert facts.one(FROM) == facts.one(SUCCESS, type="full")
    assert facts.all(UNTIL) == []


def test_a_backup_that_waits_for_its_wal_is_unfinished_and_then_bad(copy: Copy, watching: Watching):
    copy.mark("WAITING_FOR_WALS")
    facts = watching(copy.target()).ask("main")
    assert facts.one("backup_seen", state="unfinished") == 1
    assert (facts.all(SUCCESS), facts.all("backup_kept"), facts.all(FROM)) == ([], [], [])
    long_ago = time.strftime("%Y-%m-%d %H:%M:%S+00:00", time.gmtime(time.time() - 7200))
    copy.info.write_text(re.sub(r"(?m)^end_time=.*$", f"end_time={long_ago}", copy.info.read_text()))
    facts = watching(copy.target()).ask("main")
    assert facts.labels("backup_last_failure_timestamp_seconds", "reason") == ["waiting_for_wal"]


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        ("FAILED", "bad", ["failed"]),
        ("STARTED", "unfinished", []),
        ("EMPTY", "unfinished", []),
        ("SYNCING", "unfinished", []),
    ],
)
def test_a_status_that_is_not_done(copy: Copy, watching: Watching, status: str, state: str, reason: list[str]):
    copy.mark(status)
    facts = watching(copy.target()).ask("main")
    assert facts.one("backup_seen", state=state) == 1
    assert facts.labels("backup_last_failure_timestamp_seconds", "reason") == reason
    assert facts.all(SUCCESS) == []


def test_looking_changes_nothing(copy: Copy, watching: Watching):
    copy.lose(copy.said("end_wal"))
    before = copy.info.read_bytes()
    watching(copy.target()).ask("main")
    assert copy.info.read_bytes() == before
    # Barman's own check would have: that is why it is not asked.
    subprocess.run([copy.barman, "-c", str(copy.config), "check-backup", "main", "latest"], cwd="/", check=True)
    assert copy.status() == "FAILED"


def test_a_server_that_it_does_not_know(copy: Copy, watching: Watching):
    assert watching(copy.target(server="other")).ask("main").reason == "server_error"


def test_an_archive_that_can_not_be_read(copy: Copy, watching: Watching):
    assert watching(copy.target(wals=str(copy.home / "none"))).ask("main").reason == "not_found"
    # Another folder than Barman's own: it would refuse to list itself.
    (copy.home / "xlog.db").write_text("0\t1\n")
    assert watching(copy.target(wals=str(copy.home))).ask("main").reason == "invalid_answer"


BAD = {
    "hung": ("sleep 600", "timeout"),
    "nonsense": ("echo 'WARNING'; echo '{['", "invalid_answer"),
    "nothing": ("true", "invalid_answer"),
    "a list": ("echo '[1]'", "invalid_answer"),
    "another server": ("echo '{\"other\": []}'", "invalid_answer"),
    "no time in its name": ('echo \'{"main": [{"backup_id": "x", "status": "FAILED"}]}\'', "invalid_answer"),
    "an error": ("echo 'a name of ours' >&2; exit 1", "server_error"),
    "killed": ("kill -9 $$", "server_error"),
}


@pytest.mark.parametrize(("script", "reason"), BAD.values(), ids=BAD)
def test_a_program_that_behaves_badly(tmp_path: Path, watching: Watching, script: str, reason: str, caplog):
    program = tmp_path / "barman"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    target = {"kind": "backups", "name": "main", "barman": {"server": "main", "command": [str(program)]}}
    facts = watching(target).ask("main", timeout=3.0)
    assert (facts.reason, facts.all(SUCCESS)) == (reason, [])
    assert "a name of ours" not in caplog.text


def test_a_program_that_is_not_there(watching: Watching):
    target = {"kind": "backups", "name": "main", "barman": {"server": "main", "command": ["no-barman-here"]}}
    assert watching(target).ask("main").reason == "not_found"
