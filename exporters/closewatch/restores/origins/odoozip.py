"""Odoo's own backup: a zip with `manifest.json`, `dump.sql` and `filestore/`.

The dump is loaded as it is unpacked, without a copy on disk; the filestore is unpacked for those who verify it.

Source: Odoo's odoo/service/db.py (dump_db, dump_db_manifest, restore_db).
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from closewatch.backups import dump as format_of_dump
from closewatch.restores.origins import dump, header, safely, unpacked
from closewatch.restores.origins.base import Backup, Window
from closewatch.restores.origins.files import Files
from closewatch.restores.origins.loading import load_plain
from closewatch.restores.why import Failed, Why

if TYPE_CHECKING:
    from closewatch.restores.scratch import Scratch
    from closewatch.restores.server import Server

DUMP, MANIFEST, FILESTORE = "dump.sql", "manifest.json", "filestore/"
LARGEST_MANIFEST = 4 * 1024 * 1024
_SHORT = re.compile(r"[A-Za-z0-9.+~_-]{1,64}")


@dataclass(slots=True)
class OdooZip:
    """`expected` is the database that the plan is about. A `Logical` origin; `files` are of the type `odoo_zip`."""

    files: Files
    expected: str | None = None
    name: str = "odoo_zip"
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
        """Bring it near, and read its manifest and the begin of its dump. Raises Failed."""
        path = self.files.near(backup.id, scratch)
        self._near[backup.id] = path
        with zipped(path) as archive:
            said = manifest(archive)
            begin = b"".join(_first(archive, scratch))
        if not format_of_dump.is_plain(begin):
            raise Failed(Why.UNREADABLE, "the dump in the zip is no dump of pg_dump's")
        of_dump = header.of_plain(begin)
        database = said.get("db_name") if isinstance(said.get("db_name"), str) else None
        dump.expect(database, self.expected)
        about: dict[str, str | int | bool] = {**backup.about, "format": "odoo_zip"}
        about |= {
            f"odoo_{name}": value
            for name in ("version", "major_version", "pg_version")
            if isinstance(value := said.get(name), str) and _SHORT.fullmatch(value)
        }
        if isinstance(modules := said.get("modules"), dict):
            about["odoo_modules"] = len(modules)
        return replace(backup, major=of_dump.major or _major(said), database=database, about=about)

    def load(self, backup: Backup, server: Server, database: str, scratch: Scratch) -> None:
        """Load its dump into an empty database of a running server. Raises Failed."""
        dump.need_version(backup, server)
        with zipped(self._near[backup.id]) as archive:
            load_plain(_content(archive, DUMP, scratch), server, database, scratch)

    def filestore(self, scratch: Scratch) -> Path:
        """The attachments of what was fetched, unpacked: the root for `verify.filestore`. Raises Failed."""
        root = scratch.folder("filestore")
        with zipped(self._last()) as archive:
            safely.unzip(archive, FILESTORE, root, scratch.watch)
        return root

    def _last(self) -> Path:
        return list(self._near.values())[-1]


@contextmanager
def zipped(path: Path) -> Iterator[zipfile.ZipFile]:
    """The zip, open. Raises Failed where it is none."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError):
        raise Failed(Why.UNREADABLE, "the zip is cut short or altered") from None
    with archive:
        yield archive


def manifest(archive: zipfile.ZipFile) -> Mapping[str, Any]:
    """What the manifest says. Raises Failed."""
    try:
        with archive.open(MANIFEST) as file:
            said = json.loads(file.read(LARGEST_MANIFEST))
    except KeyError:
        raise Failed(Why.UNREADABLE, "there is no manifest in the zip") from None
    except (*unpacked.DAMAGED, ValueError, RecursionError, RuntimeError, OSError):
        raise Failed(Why.UNREADABLE, "the manifest in the zip can't be read") from None
    if not isinstance(said, dict):
        raise Failed(Why.UNREADABLE, "the manifest in the zip has another form than Odoo's")
    return said


def _content(archive: zipfile.ZipFile, name: str, scratch: Scratch) -> Iterator[bytes]:
    """A member's content. Raises Failed."""
    try:
        with archive.open(name) as file:
            yield from unpacked.of_file(file, scratch.need)
    except KeyError:
        raise Failed(Why.UNREADABLE, "there is no dump in the zip") from None
    except (*unpacked.DAMAGED, RuntimeError):
        raise Failed(Why.UNREADABLE, "the dump in the zip is cut short or altered") from None


def _first(archive: zipfile.ZipFile, scratch: Scratch) -> Iterator[bytes]:
    size = 0
    for part in _content(archive, DUMP, scratch):
        yield part[: dump.BEGIN]
        size += len(part)
        if size >= dump.BEGIN:
            return


def _major(said: Mapping[str, Any]) -> int | None:
    found = re.match(r"\d{2}", str(said.get("pg_version", "")))
    return int(found[0]) if found else None
