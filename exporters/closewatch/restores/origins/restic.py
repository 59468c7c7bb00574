"""Files out of a restic repository: a snapshot is restored to the scratch disk, and one of its files is the backup.

Nothing is locked (--no-lock): a test must not keep the repository's own housekeeping waiting. The password and the keys
of the store come by files and the environment, never by arguments.

Source: restic's documentation, "Scripting" (snapshots --json, exit codes).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from closewatch.restores.origins.base import Backup, Window
from closewatch.restores.origins.files import Files
from closewatch.restores.why import Failed, Why
from closewatch.sources.folder import Folder

if TYPE_CHECKING:
    from closewatch.restores.scratch import Scratch
    from closewatch.restores.server import Server
    from closewatch.sources.tool import Ran

RESTORED = "snapshot"
MOST = 1000
_ID = re.compile(r"[0-9a-f]{64}")
_CODES = {
    3: "a part of the snapshot can't be read",
    10: "there is no repository",
    11: "the repository is locked",
    12: "the repository refuses the password",
}


class Inside(Protocol):
    """The origin of what a snapshot holds, such as `dump.Dump`: asked when the snapshot lies on the scratch disk."""

    files: Files

    def backups(self, scratch: Scratch) -> Sequence[Backup]:
        """The good ones in it, the newest first."""

    def fetch(self, backup: Backup, scratch: Scratch) -> Backup:
        """What its content tells."""

    def load(self, backup: Backup, server: Server, database: str, scratch: Scratch) -> None:
        """Load it."""


@dataclass(frozen=True, slots=True)
class Repository:
    """`password` is a file; `environment` names what the store needs. Snapshots by `host`, `tags` and `path`."""

    repository: str
    password: Path
    command: tuple[str, ...] = ("restic",)
    host: str | None = None
    tags: tuple[str, ...] = ()
    path: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def words(self, *arguments: str) -> list[str]:
        """How it is called."""
        return [*self.command, "--no-lock", "--quiet", "--no-cache", *arguments]

    def given(self) -> dict[str, str]:
        """What it finds in its environment."""
        return {"RESTIC_REPOSITORY": self.repository, "RESTIC_PASSWORD_FILE": str(self.password), **self.environment}

    def chosen(self) -> list[str]:
        """Which snapshots."""
        host = ["--host", self.host] if self.host else []
        tags = ["--tag", ",".join(self.tags)] if self.tags else []
        return [*host, *tags, *(["--path", self.path] if self.path else [])]


@dataclass(slots=True)
class Restic:
    """A `Logical` origin. `inside` looks for `pattern` below the folder of the snapshot, level by level."""

    repository: Repository
    inside: Inside
    pattern: str = "*"
    name: str = "restic"
    _held: dict[str, Backup] = field(default_factory=dict)

    def backups(self, scratch: Scratch) -> Sequence[Backup]:
        """The snapshots, the newest first. Raises Failed."""
        ran = self._run(scratch, "snapshots", "--json", *self.repository.chosen())
        try:
            said = json.loads(ran.out)
            found = sorted(map(_snapshot, said or ()), key=lambda one: one.done, reverse=True)
        except (KeyError, TypeError, ValueError, RecursionError):
            raise Failed(Why.TOOL_FAILED, "restic's list of snapshots has another form than is known") from None
        if not found:
            raise Failed(Why.NO_BACKUP, "there is no such snapshot in the repository")
        return found[:MOST]

    def window(self, scratch: Scratch) -> Window | None:
        """A dump knows no WAL."""
        return None

    def fetch(self, backup: Backup, scratch: Scratch) -> Backup:
        """Restore the snapshot, and look into it. Raises Failed."""
        to = self.restore(backup, scratch)
        self.inside.files.store = Folder(to, self.pattern)
        self.inside.files.settle = 0.0
        held = self.inside.fetch(self.inside.backups(scratch)[0], scratch)
        self._held[backup.id] = held
        # A snapshot of last night may hold a dump of last month.
        done = min(backup.done, held.done)
        about = {**held.about, **backup.about}
        return replace(backup, done=done, major=held.major, database=held.database, about=about, clock=held.clock)

    def restore(self, backup: Backup, scratch: Scratch) -> Path:
        """Restore the snapshot; gives the folder that its paths begin in. Raises Failed."""
        if not _ID.fullmatch(backup.id):
            raise Failed(Why.NO_BACKUP, "that is no snapshot of restic")
        to = scratch.folder(RESTORED)
        self._run(scratch, "restore", backup.id, "--target", str(to))
        return to

    def filestore(self, scratch: Scratch) -> Path:
        """The attachments in it, where it holds some: the root for `verify.filestore`. Raises Failed."""
        own = getattr(self.inside, "filestore", None)
        if own is None:
            raise Failed(Why.FILESTORE_INCOMPLETE, "the snapshot's backup has no filestore")
        root: Path = own(scratch)
        return root

    def load(self, backup: Backup, server: Server, database: str, scratch: Scratch) -> None:
        """Load what the snapshot holds. Raises Failed."""
        self.inside.load(self._held[backup.id], server, database, scratch)

    def _run(self, scratch: Scratch, *arguments: str) -> Ran:
        ran = scratch.run(self.repository.words(*arguments), env=self.repository.given())
        if ran.code:
            scratch.need()
            raise Failed(Why.UNREADABLE, f"restic: {_CODES.get(ran.code, 'it ended with an error')}")
        return ran


def _snapshot(said: Mapping[str, Any]) -> Backup:
    if not _ID.fullmatch(said["id"]):
        raise ValueError("no id")
    summary = said.get("summary") or {}
    size = summary.get("total_bytes_processed")
    about: dict[str, str | int | bool] = {"tool": "restic"}
    # Nanoseconds are more than Python's clock knows.
    time = datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", said["time"]))
    return Backup(said["id"], time.timestamp(), size=size if isinstance(size, int) else None, about=about)
