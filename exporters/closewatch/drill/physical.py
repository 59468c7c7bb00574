"""Sabotage of base backups, WAL, and of the restore itself."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
import time
from pathlib import Path

from closewatch.drill.cases import Cases, Plan, by_base, by_pgbackrest, flip
from closewatch.drill.stage import Stage
from closewatch.engines.guardian import processes_of

cases = Cases()


def _segments(wal: Path) -> list[Path]:
    return sorted(path for path in wal.iterdir() if re.fullmatch(r"[0-9A-F]{24}", path.name))


def _needed(stage: Stage, wal: Path) -> list[Path]:
    """The segments that were written after the base backup."""
    label = (stage.bases / "night" / "night" / "backup_label").read_text(encoding="utf-8")
    first = re.search(r"file ([0-9A-F]{24})", label)
    assert first is not None
    return [path for path in _segments(wal) if path.name >= first[1]]


@cases.case("a byte flipped in a data file", "manifest")
def _byte(stage: Stage) -> Plan:
    copy = stage.copy(stage.bases / "night")
    flip(max((copy / "night" / "base").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0))
    return by_base(stage, copy)


@cases.case("a data file gone", "manifest")
def _gone(stage: Stage) -> Plan:
    copy = stage.copy(stage.bases / "night")
    found = [path for path in (copy / "night" / "base").rglob("[0-9]*") if path.is_file() and path.stat().st_size]
    found[0].unlink()
    return by_base(stage, copy)


@cases.case("a manifest cut short", "unreadable")
def _manifest(stage: Stage) -> Plan:
    copy = stage.copy(stage.bases / "night")
    manifest = copy / "night" / "backup_manifest"
    manifest.write_bytes(manifest.read_bytes()[:5000])
    return by_base(stage, copy)


@cases.case("a byte flipped in pgBackRest's repository", "unreadable")
def _repository(stage: Stage) -> Plan:
    by_pgbackrest(stage)
    copy = stage.copy(stage.ground.repo)
    files = [path for path in (copy / "backup").rglob("*.gz") if "pg_data/base" in str(path)]
    flip(max(files, key=lambda path: path.stat().st_size))
    return by_pgbackrest(stage, copy)


@cases.case("a WAL segment missing in the middle", "wal_missing")
def _hole(stage: Stage) -> Plan:
    wal = stage.copy(stage.ground.wal)
    needed = _needed(stage, wal)
    needed[len(needed) // 2].unlink()
    return by_base(stage, stage.bases / "night", wal)


@cases.case("the same, and a moment after it is asked for", "wal_missing")
def _hole_before_moment(stage: Stage) -> Plan:
    wal = stage.copy(stage.ground.wal)
    needed = _needed(stage, wal)
    needed[len(needed) // 2].unlink()
    back = max(0.1, time.time() - stage.writer.commits.done[-1][1]) if stage.writer else 1.0
    return by_base(stage, stage.bases / "night", wal, point={"back": back})


@cases.case("a WAL segment missing in pgBackRest's archive", "wal_missing")
def _hole_in_repository(stage: Stage) -> Plan:
    by_pgbackrest(stage)
    copy = stage.copy(stage.ground.repo)
    newest = sorted(path for path in (copy / "archive").rglob("*") if re.match(r"[0-9A-F]{24}-", path.name))
    newest[-2].unlink()
    return by_pgbackrest(stage, copy)


@cases.case("the WAL that a backup begins in is gone", "wal_missing")
def _begin(stage: Stage) -> Plan:
    wal = stage.copy(stage.ground.wal)
    _needed(stage, wal)[0].unlink()
    return by_base(stage, stage.bases / "night", wal)


@cases.case("a WAL segment of another cluster", "wal_missing", "wrong_backup")
def _foreign(stage: Stage) -> Plan:
    wal = stage.copy(stage.ground.wal)
    needed = _needed(stage, wal)
    shutil.copyfile(_segments(stage.other.wal)[-1], needed[len(needed) // 2])
    return by_base(stage, stage.bases / "night", wal)


@cases.case("WAL of another timeline", "wal_missing")
def _timeline(stage: Stage) -> Plan:
    """The second half was written on a timeline that the backup doesn't lead to."""
    wal = stage.copy(stage.ground.wal)
    needed = _needed(stage, wal)
    for path in needed[len(needed) // 2 :]:
        path.rename(path.with_name("00000005" + path.name[8:]))
    return by_base(stage, stage.bases / "night", wal)


@cases.case("a moment that the WAL doesn't reach", "target_not_reached")
def _unreached(stage: Stage) -> Plan:
    return by_base(stage, stage.bases / "night", point={"back": 0.001})


@cases.case("a base backup of another cluster under the right name", "wrong_backup")
def _cluster(stage: Stage) -> Plan:
    plan = by_base(stage, stage.bases / "other", stage.other.wal)
    uuid = stage.ground.server.value(
        stage.ground.database, "SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'"
    )
    return Plan({**plan.settings, "expect": {"database_uuid": uuid}})


@cases.case("a backup from the future: a clock an hour off", "clock")
def _clock(stage: Stage) -> Plan:
    copy = stage.copy(stage.bases / "night")
    os.utime(copy / "night" / "backup_manifest", (time.time() + 3600,) * 2)
    return by_base(stage, copy)


@cases.case("a major version that isn't here", "wrong_version")
def _version(stage: Stage) -> Plan:
    copy = stage.copy(stage.bases / "night")
    (copy / "night" / "PG_VERSION").write_text("9\n", encoding="ascii")
    return by_base(stage, copy)


@cases.case("a disk that is too small from the start", "no_space")
def _small(stage: Stage) -> Plan:
    return by_base(stage, stage.bases / "night", disk=10**15)


@cases.case("a disk that fills during the restore", "no_space")
def _full(stage: Stage) -> Plan:
    return by_base(stage, stage.bases / "night", disk=20 * 1024 * 1024)


@cases.case("the server killed during recovery", "start_failed")
def _killed(stage: Stage) -> Plan:
    def kill(parent: Path, over: threading.Event) -> None:
        while not over.wait(0.002):
            for folder in parent.glob("closewatch-restore-*"):
                for process in processes_of(folder):
                    try:
                        command = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
                    except OSError:
                        continue
                    if command[0].endswith(b"/postgres") and b"-D" in command:
                        os.kill(process, signal.SIGKILL)
                        return

    plan = by_base(stage, stage.bases / "night")
    plan.meanwhile = kill
    return plan


@cases.case("a tool that hangs", "time_limit")
def _hung(stage: Stage) -> Plan:
    program = stage.copy(stage.ground.config).parent / "pgbackrest"
    program.write_text("#!/bin/sh\nsleep 600 & wait\n", encoding="ascii")
    program.chmod(0o755)
    origin = {"pgbackrest": {"stanza": "main", "command": [str(program)]}}
    return Plan({"origin": origin, "database": "odoo_books", "limit": 2})


@cases.case("a tool that isn't there", "tool_failed")
def _absent(stage: Stage) -> Plan:
    origin = {"pgbackrest": {"stanza": "main", "command": ["no-such-pgbackrest"]}}
    return Plan({"origin": origin, "database": "odoo_books"})


HEALTHY = {
    "pg_basebackup and WAL": lambda stage: by_base(stage, stage.bases / "night", amcheck="all"),
    "pgBackRest": lambda stage: by_pgbackrest(stage, amcheck="all"),
}
