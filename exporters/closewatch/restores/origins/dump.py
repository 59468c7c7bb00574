"""pg_dump's backups of one database: custom, directory and tar formats, and plain SQL, also compressed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from closewatch.backups import dump as format_of_dump
from closewatch.backups.archives import is_tar
from closewatch.backups.found import Type
from closewatch.restores.origins import archive, header, unpacked
from closewatch.restores.origins.base import Backup, Window
from closewatch.restores.origins.files import Files
from closewatch.restores.origins.loading import load_plain
from closewatch.restores.why import Failed, Why
from closewatch.sources.store import TOC

if TYPE_CHECKING:
    from closewatch.restores.scratch import Scratch
    from closewatch.restores.server import Server

TYPES = (Type.DUMP, Type.ARCHIVE)
"""Of what is compressed by zstd or bzip2 it can't be seen from outside that it is a dump."""
UNPACKED = "unpacked"
BEGIN = 16 * 1024


@dataclass(slots=True)
class Dump:
    """`expected` is the database that the plan is about; `jobs` are pg_restore's. A `Logical` origin."""

    files: Files
    expected: str | None = None
    jobs: int = 0
    name: str = "pg_dump"
    _near: dict[str, Path] = field(default_factory=dict)

    def backups(self, scratch: Scratch) -> Sequence[Backup]:
        """The good ones, the newest first. Raises Failed."""
        return [
            Backup(one.entry.name, one.at, about={"type": str(one.found.type), "bytes": one.entry.size})
            for one in self.files.good(scratch)
        ]

    def window(self, scratch: Scratch) -> Window | None:
        """A dump knows no WAL."""
        return None

    def fetch(self, backup: Backup, scratch: Scratch) -> Backup:
        """Bring it near, unpack an archive that is compressed, and read its header. Raises Failed."""
        path = self.files.near(backup.id, scratch)
        path, said = opened(path, scratch)
        self._near[backup.id] = path
        expect(said.database, self.expected)
        about = {**backup.about, "format": form(path), **({"server_version": said.server} if said.server else {})}
        return replace(backup, major=said.major, database=said.database, about=about, clock=said.clock)

    def load(self, backup: Backup, server: Server, database: str, scratch: Scratch) -> None:
        """Load into an empty database of a running server. Raises Failed."""
        path = self._near[backup.id]
        need_version(backup, server)
        if form(path) == "plain":
            load_plain(unpacked.chunks(path, scratch.need), server, database, scratch)
        else:
            archive.load(path, server, database, self.jobs or len(os.sched_getaffinity(0)), scratch)


def opened(path: Path, scratch: Scratch) -> tuple[Path, header.Header]:
    """What can be loaded, and what it says of itself: plain SQL stays packed, archives are unpacked. Raises Failed."""
    if path.is_dir():
        return path, header.of_archive(unpacked.head(path / TOC, BEGIN))
    begin = _begin(path, scratch)
    if format_of_dump.is_plain(begin):
        return path, header.of_plain(begin)
    if not begin.startswith(format_of_dump.MAGIC) and not _is_tar_of_dump(begin):
        raise Failed(Why.UNREADABLE, "it is no dump of a database")
    if unpacked.packed(path):
        to = scratch.folder(UNPACKED) / "dump"
        unpacked.write(unpacked.chunks(path, scratch.watch), to)
        scratch.give(to)
        path = to
    return path, header.of_archive(begin if begin.startswith(format_of_dump.MAGIC) else begin[512:])


def _is_tar_of_dump(begin: bytes) -> bool:
    return is_tar(begin) and begin[:100].rstrip(b"\0") == TOC.encode()


def _begin(path: Path, scratch: Scratch) -> bytes:
    """The first bytes of the content."""
    begin = b""
    parts = unpacked.chunks(path, scratch.need)
    for part in parts:
        begin += part
        if len(begin) >= BEGIN:
            break
    return begin[:BEGIN]


def form(path: Path) -> str:
    """The format of what `opened` gave."""
    if path.is_dir():
        return "directory"
    begin = unpacked.head(path, 512)
    if begin.startswith(format_of_dump.MAGIC):
        return "custom"
    return "tar" if is_tar(begin) else "plain"


def expect(said: str | None, expected: str | None) -> None:
    """Raises Failed where it says that it is another database's."""
    if said is not None and expected is not None and said != expected:
        raise Failed(Why.WRONG_BACKUP, "by its own header it is a dump of another database")


def need_version(backup: Backup, server: Server) -> None:
    """Raises Failed where the server is older than what the dump needs; a newer one is fine."""
    if backup.major is not None and server.major < backup.major:
        raise Failed(
            Why.WRONG_VERSION, f"the dump needs PostgreSQL {backup.major} or newer, and here is {server.major}"
        )
