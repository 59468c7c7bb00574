"""From a storage of WAL-G: its own `backup-fetch` into the scratch folder, WAL by its own `wal-fetch`.

Tablespaces come into the data folder, as an empty specification keeps WAL-G from filling those of production, and are
put beside it, as PostgreSQL wants links. WAL-G's login stands in its configuration file. Rights: to list and read the
storage. Source: WAL-G's documentation for PostgreSQL, and internal/databases/postgres, 2.0 to 3.0.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from closewatch.restores.links import take_in
from closewatch.restores.origins.base import Backup, Moment, Window
from closewatch.restores.origins.recovery import settings_for
from closewatch.restores.scratch import Scratch
from closewatch.restores.why import Failed, Why
from closewatch.sources.tool import Ran

_NAME = re.compile(r"base_[0-9A-F]{24}(_D_[0-9A-F]{24})?")
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_NEW_NUMBERS = 100_000


class Walg:
    """One storage."""

    name = "walg"

    def __init__(self, command: Sequence[str], config: Path | None) -> None:
        self._command = [*command, *([f"--config={config}"] if config else [])]

    def backups(self, scratch: Scratch) -> Sequence[Backup]:
        """What is listed is complete; the newest first. Raises Failed."""
        ran = self._run(scratch, "backup-list", "--detail", "--json")
        # Without a backup it prints nothing, or says so in words.
        if not ran.out.strip() or b"No backups found" in ran.out + ran.err:
            return []
        try:
            found = [_backup(one) for one in json.loads(ran.out) or ()]
        except (KeyError, TypeError, ValueError, RecursionError):
            raise Failed(Why.TOOL_FAILED, "wal-g's list of backups has another form") from None
        return sorted(found, key=lambda backup: backup.done, reverse=True)

    def window(self, scratch: Scratch) -> Window | None:
        """From the end of the oldest backup; when the newest segment was archived isn't told."""
        good = self.backups(scratch)
        return Window(min(backup.done for backup in good), None) if good else None

    def newest_wal(self, scratch: Scratch) -> str | None:
        """The end of the newest timeline in the storage. Raises Failed."""
        ran = self._run(scratch, "wal-show", "--detailed-json")
        try:
            ends = [str(one["end_segment"]) for one in json.loads(ran.out or b"[]") or ()]
        except (KeyError, TypeError, ValueError, RecursionError):
            raise Failed(Why.TOOL_FAILED, "wal-g's account of the WAL has another form") from None
        return max((end for end in ends if _SEGMENT.fullmatch(end)), default=None)

    def restore(self, backup: Backup, to: Moment, scratch: Scratch) -> Mapping[str, str]:
        """Fill the data folder. Raises Failed."""
        spec = scratch.folder("walg") / "tablespaces.json"
        spec.write_text(json.dumps({"base_prefix": str(scratch.data), "tablespaces": []}), encoding="utf-8")
        scratch.give(spec)
        command = [*self._command, "backup-fetch", str(scratch.data), backup.id, f"--restore-spec={spec}"]
        if (code := scratch.run(command, cwd=scratch.path).code) != 0:
            raise Failed(Why.UNREADABLE, f"wal-g backup-fetch ended with {code}")
        _move_tablespaces(scratch)
        return settings_for(f'{shlex.join([*self._command, "wal-fetch"])} %f "%p"', to)

    def _run(self, scratch: Scratch, *arguments: str) -> Ran:
        ran = scratch.run([*self._command, *arguments], cwd=scratch.path)
        if ran.code:
            raise Failed(Why.TOOL_FAILED, f"wal-g {arguments[0]} ended with {ran.code}")
        return ran


def _move_tablespaces(scratch: Scratch) -> None:
    for inside in list((scratch.data / "pg_tblspc").glob("*")):
        if inside.is_dir() and not inside.is_symlink():
            to = scratch.folder(f"tablespace-{inside.name}")
            inside.rename(to)
            take_in(scratch, inside, to)


def _backup(one: Mapping[str, Any]) -> Backup:
    """Raises ValueError, KeyError, TypeError where it has another form."""
    name, version = str(one["backup_name"]), int(one.get("pg_version") or 0)
    if not _NAME.fullmatch(name):
        raise ValueError
    about: dict[str, str | int | bool] = {"type": "incr" if "_D_" in name else "full"}
    if one.get("system_identifier"):
        about["system_identifier"] = str(int(one["system_identifier"]))
    size = int(one["uncompressed_size"]) if one.get("uncompressed_size") else None
    done = dt.datetime.fromisoformat(str(one.get("finish_time") or one["time"]))
    if done.tzinfo is None:
        raise ValueError
    return Backup(name, done.timestamp(), size, version // 10_000 if version >= _NEW_NUMBERS else None, about=about)
