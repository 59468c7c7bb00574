"""From a Barman server's catalogue: its own `recover` into the scratch folder, WAL by its own `get-wal`.

Only backups that are DONE count: one that waits for WAL can't be restored yet. Rights: those of the user barman.
Source: Barman's manual, 3.4 to 3.17; the JSON of `list-backups` and `show-backup`.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from closewatch.restores.origins.base import Backup, Moment, Window
from closewatch.restores.origins.recovery import settings_for
from closewatch.restores.scratch import Scratch
from closewatch.restores.why import Failed, Why
from closewatch.sources.tool import Ran

DONE = "DONE"
_SEGMENT = re.compile(r"[0-9A-F]{24}")


class Barman:
    """One server in Barman's configuration."""

    name = "barman"

    def __init__(self, command: Sequence[str], server: str, config: Path | None) -> None:
        self._command = [*command, *(["-c", str(config)] if config else [])]
        self._server = server

    def backups(self, scratch: Scratch) -> Sequence[Backup]:
        """Those that are done, the newest first. Raises Failed."""
        try:
            listed = self._json(scratch, "list-backup", self._server)[self._server]
            done = [one for one in listed if one["status"] == DONE]
            found = [
                Backup(str(one["backup_id"]), float(one["end_time_timestamp"]), int(one["size_bytes"])) for one in done
            ]
        except (KeyError, TypeError, ValueError):
            raise Failed(Why.TOOL_FAILED, "barman's list of backups has another form") from None
        return sorted(found, key=lambda backup: backup.done, reverse=True)

    def window(self, scratch: Scratch) -> Window | None:
        """From the end of the oldest backup; until when is known only where the folder of WAL can be read."""
        good = self.backups(scratch)
        newest = self._newest(scratch)
        if not good:
            return None
        return Window(min(backup.done for backup in good), None if newest is None else newest.stat().st_mtime)

    def newest_wal(self, scratch: Scratch) -> str | None:
        """The newest segment that Barman has stored."""
        newest = self._newest(scratch)
        return None if newest is None else newest.name

    def restore(self, backup: Backup, to: Moment, scratch: Scratch) -> Mapping[str, str]:
        """Fill the data folder. Raises Failed."""
        moved = [
            f"--tablespace={name}:{scratch.folder(f'tablespace-{oid}')}" for name, oid in self._spaces(backup, scratch)
        ]
        ran = self._run(scratch, "recover", "--get-wal", *moved, self._server, backup.id, str(scratch.data))
        if ran.code:
            raise Failed(Why.UNREADABLE, f"barman recover ended with {ran.code}")
        get = shlex.join([*self._command, "get-wal", self._server])
        return settings_for(f'{get} %f > "%p"', to)

    def _spaces(self, backup: Backup, scratch: Scratch) -> list[tuple[str, str]]:
        """Names and numbers of the tablespaces: without another place, Barman would write to production's own."""
        try:
            shown = self._json(scratch, "show-backup", self._server, backup.id)[self._server]
            found = shown.get("tablespaces") or []
            return [(str(one["name"]), str(int(one["oid"]))) for one in found]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Failed(Why.TOOL_FAILED, "barman's account of the backup has another form") from None

    def _newest(self, scratch: Scratch) -> Path | None:
        try:
            found = self._json(scratch, "show-server", self._server)[self._server]
            folder = Path(found["wals_directory"])
            folders = [path for path in folder.iterdir() if path.is_dir()]
            names = [path for each in folders for path in each.iterdir() if _SEGMENT.fullmatch(path.name)]
            return max(names, key=lambda path: path.name, default=None)
        except (KeyError, TypeError):
            raise Failed(Why.TOOL_FAILED, "barman's account of the server has another form") from None
        except OSError:
            # A hole can't be told from the end of the WAL then: that is no reason to call it whole.
            raise Failed(Why.WAL_MISSING, "barman's folder of WAL can't be read here") from None

    def _json(self, scratch: Scratch, *arguments: str) -> Any:
        ran = self._run(scratch, "-f", "json", *arguments)
        if ran.code:
            raise Failed(Why.TOOL_FAILED, f"barman {arguments[0]} ended with {ran.code}")
        try:
            return json.loads(ran.out)
        except ValueError:
            raise Failed(Why.TOOL_FAILED, f"barman {arguments[0]} printed no JSON") from None

    def _run(self, scratch: Scratch, *arguments: str) -> Ran:
        return scratch.run([*self._command, *arguments], cwd=scratch.path)
