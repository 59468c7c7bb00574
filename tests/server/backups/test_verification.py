"""The scheduled check `verification`: each tool's own, through the worker, its records and a scrape."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from closewatch.registry import Registry
from closewatch.work import Worker, jobs_of
from tests.fixtures.archiving import Archiving
from tests.fixtures.servers import missing
from tests.server.backups.test_barman_source import Copy
from tests.server.backups.test_barman_source import copy as copy  # noqa: PLC0414 - a fixture
from tests.server.backups.test_restic_source import Repository
from tests.server.backups.test_restic_source import repository as restic  # noqa: F401 - a fixture
from tests.server.backups.verified import Verified, flip, shown

pytestmark = [pytest.mark.server, pytest.mark.slow]


# --- pgBackRest ---


@pytest.fixture
def stanza(archiving: Archiving, tmp_path: Path, pytestconfig: pytest.Config) -> tuple[Path, dict[str, Any]]:
    """A copy of the repository, and the settings for it."""
    if not archiving.pgbackrest:
        missing(pytestconfig, "pgbackrest is not at hand")
    repo, config = tmp_path / "repo", tmp_path / "pgbackrest.conf"
    shutil.copytree(archiving.home / "repo", repo, symlinks=True)
    text = archiving.pgbackrest_config.read_text().replace(f"repo1-path={archiving.home}/repo", f"repo1-path={repo}")
    config.write_text(text)
    place = {"stanza": "main", "config": str(config), "command": [archiving.pgbackrest]}
    return repo, {"kind": "backups", "name": "main", "pgbackrest": place}


def test_pgbackrest_that_is_whole(stanza, verified: Verified):
    result, reason, facts = verified(stanza[1])
    assert (result, reason) == ("passed", None)
    assert shown(facts, "full", "tool") == [1]
    assert facts.one("check_passed", check="verification") == 1
    assert facts.failing == {}
    # This repository has one backup, and the WAL that was written after it.
    success = facts.one("backup_last_success_timestamp_seconds", type="full")
    assert facts.one("backup_recoverable_from_timestamp_seconds") == success
    assert facts.one("backup_recoverable_until_timestamp_seconds") > success
    assert facts.one("backup_encrypted") == 0
    assert facts.one("backup_wal_missing_segments") == 0


@pytest.mark.parametrize("where", ["backup/main/*/pg_data", "archive"])
def test_pgbackrest_with_a_byte_flipped(stanza, verified: Verified, where: str):
    repo, target = stanza
    flip(max(repo.glob(f"{where}/**/*.gz"), key=lambda path: path.stat().st_size))
    result, reason, facts = verified(target)
    assert (result, reason) == ("failed", "corrupt")
    assert shown(facts, "full", "tool") == [0]
    assert facts.labels("check_failure_info", "reason") == ["corrupt"]


def test_pgbackrest_with_a_file_gone(stanza, verified: Verified):
    repo, target = stanza
    sorted((repo / "backup").rglob("*.gz"))[40].unlink()
    assert verified(target)[:2] == ("failed", "corrupt")


def test_pgbackrest_that_can_not_look(stanza, verified: Verified):
    target = stanza[1]
    place = target["pgbackrest"]
    result, reason, facts = verified({**target, "pgbackrest": {**place, "stanza": "other"}})
    assert (result, reason, shown(facts, "full", "tool")) == ("unknown", "not_found", [])
    command = [*place["command"], "--no-such-option"]
    assert verified({**target, "pgbackrest": {**place, "command": command}})[:2] == ("unknown", "cannot_check")
    assert verified({**target, "pgbackrest": {**place, "command": ["none-here"]}})[:2] == ("unknown", "not_found")


# --- Barman and pg_basebackup ---


def test_barman(copy: Copy, verified: Verified):
    result, reason, facts = verified(copy.target())
    assert (result, reason, shown(facts, "full", "manifest")) == ("passed", None, [1])
    before = copy.info.read_bytes()
    flip(copy.info.parent / "data" / "base" / "1" / "1259")
    result, reason, facts = verified(copy.target())
    assert (result, reason, shown(facts, "full", "manifest")) == ("failed", "corrupt", [0])
    assert copy.info.read_bytes() == before
    assert verified(copy.target(server="other"))[:2] == ("unknown", "tool_failed")
    copy.mark("FAILED")
    assert verified(copy.target())[:2] == ("unknown", "no_backup")


def test_pg_basebackup(archiving: Archiving, verified: Verified, tmp_path: Path):
    base = tmp_path / "base"
    base.mkdir()
    target = {"kind": "backups", "name": "base", "basebackup": {"path": str(base)}}
    assert verified(target)[:2] == ("unknown", "no_backup")
    shutil.copytree(archiving.base / "plain", base / "plain", symlinks=True)
    result, reason, facts = verified(target)
    assert (result, reason, shown(facts, "full", "manifest")) == ("passed", None, [1])
    flip(base / "plain" / "base" / "1" / "1259")
    result, reason, facts = verified(target)
    assert (result, reason, shown(facts, "full", "manifest")) == ("failed", "corrupt", [0])
    shutil.copytree(archiving.base / "tar", base / "tar")
    os.utime(base / "tar" / "backup_manifest")
    result, reason, facts = verified(target)
    assert (result, reason, shown(facts, "full", "manifest")) == ("unknown", "cannot_check", [])


# --- restic ---


def test_restic(restic: Repository, verified: Verified):  # noqa: F811 - a fixture
    restic.back_up()
    result, reason, facts = verified(restic.target())
    assert (result, reason, shown(facts, "snapshot", "tool")) == ("passed", None, [1])
    pack = max((restic.path / "data").rglob("*"), key=lambda path: path.stat().st_size * path.is_file())
    pack.chmod(0o600)
    with pack.open("r+b") as file:
        file.truncate(1000)
    result, reason, facts = verified(restic.target())
    assert (result, reason, shown(facts, "snapshot", "tool")) == ("failed", "corrupt", [0])
    assert facts.labels("check_failure_info", "reason") == ["corrupt"]


def test_restic_that_can_not_look(restic: Repository, verified: Verified, tmp_path: Path):  # noqa: F811
    restic.back_up()
    elsewhere = restic.target(repository=str(tmp_path / "no"))
    assert verified(elsewhere)[:2] == ("unknown", "not_found")
    assert verified(restic.target(command=[restic.program, "--no-such-option"]))[:2] == ("unknown", "tool_failed")
    restic.password.write_text("another-password-of-nobody")
    assert verified(restic.target())[:2] == ("unknown", "authentication")
    for script, reason in (("exit 11", "locked"), ("exit 10", "not_found"), ("kill -9 $$", "tool_failed")):
        bad = tmp_path / "bad"
        bad.write_text(f"#!/bin/sh\n{script}\n")
        bad.chmod(0o755)
        assert verified(restic.target(command=[str(bad)]))[:2] == ("unknown", reason), script


def test_restic_leaves_a_backup_under_way_alone(restic: Repository, verified: Verified):  # noqa: F811
    restic.back_up()
    process = restic.slow_backup()
    before = restic.locks()
    assert verified(restic.target())[:2] == ("passed", None)
    assert restic.locks() == before
    process.communicate(b"the rest", timeout=30)
    assert process.returncode == 0


# --- time, and being stopped ---


def test_a_tool_that_takes_too_long_and_one_that_is_stopped(verified: Verified, tmp_path: Path):
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nsleep 600\n")
    slow.chmod(0o755)
    target = {"kind": "backups", "name": "main", "pgbackrest": {"stanza": "main", "command": [str(slow)]}}
    config = verified.config(target, limit=1)
    store, registry = config.records.store(read_only=False), Registry(config)
    (job,) = jobs_of(registry)
    record = Worker(config, store).run(job)
    assert (record.result, record.reason) == ("unknown", "time_limit")
    config = verified.config(target, limit=300)
    worker = Worker(config, store)
    (job,) = jobs_of(other := Registry(config))
    threading.Timer(1.0, worker.stop.set).start()
    began = time.monotonic()
    record = worker.run(job)
    assert (record.result, record.reason) == ("unknown", "cancelled")
    assert time.monotonic() - began < 30
    store.close()
    registry.close()
    other.close()
