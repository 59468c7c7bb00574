"""From folders that pg_basebackup wrote, plain or as tar files, and a folder with archived WAL.

A folder counts as a backup when its `backup_manifest` is there and readable: pg_basebackup writes it last. WAL comes by
`cp`, or unpacked where the archive is compressed (.gz, .zst, .xz, .lz4, .bz2). An incremental one is put together with
those that it builds on, which must lie beside it.

Source: PostgreSQL's documentation of pg_basebackup and of the backup manifest, 13 to 18.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from closewatch.restores.links import take_in
from closewatch.restores.origins.base import Backup, Moment, Window
from closewatch.restores.origins.increments import chain, combine
from closewatch.restores.origins.recovery import SEGMENT, from_folder, settings_for
from closewatch.restores.scratch import Scratch
from closewatch.restores.why import Failed, Why

MANIFEST = "backup_manifest"
LARGEST = 512 * 1024 * 1024
"""Bytes of a manifest that are read: some millions of files."""
_VERSIONS = {1, 2}


class BaseBackup:
    """A folder with backups, one folder each, and a folder with WAL."""

    name = "basebackup"

    def __init__(self, path: Path, wal: Path | None) -> None:
        self._path = path
        self._wal = wal

    def backups(self, scratch: Scratch) -> Sequence[Backup]:
        """Those with a manifest, the newest first. Raises Failed."""
        try:
            folders = sorted(path for path in self._path.iterdir() if path.is_dir())
        except OSError:
            raise Failed(Why.NO_BACKUP, "the folder with the backups can't be read") from None
        found = []
        for folder in folders:
            scratch.need()
            manifest = folder / MANIFEST
            if manifest.is_file():
                found.append(_backup(folder, manifest))
        return sorted(found, key=lambda backup: backup.done, reverse=True)

    def window(self, scratch: Scratch) -> Window | None:
        """From the end of the oldest backup to the time of the newest segment."""
        good, newest = self.backups(scratch), self._newest()
        if not good or newest is None:
            return None
        return Window(min(backup.done for backup in good), newest.stat().st_mtime)

    def newest_wal(self, scratch: Scratch) -> str | None:
        """The newest segment in the folder."""
        newest = self._newest()
        return None if newest is None else newest.name[:24]

    def restore(self, backup: Backup, to: Moment, scratch: Scratch) -> Mapping[str, str]:
        """Copy or unpack it. Raises Failed."""
        folder = self._path / backup.id
        needed = chain(folder, [self._path / each.id for each in self.backups(scratch)], scratch)
        if len(needed) > 1:
            parts = [_part(one, f"part-{number}", scratch) for number, one in enumerate(needed)]
            combine(parts, scratch)
            for part in parts:
                if part.is_relative_to(scratch.path):
                    shutil.rmtree(part)
        elif archive := _archive(folder):
            _unpack(folder, archive, scratch.data, scratch)
        else:
            ran = scratch.run(
                ["cp", "-a", "--no-preserve=ownership", f"{folder}/.", str(scratch.data)], cwd=scratch.path
            )
            if ran.code:
                raise Failed(Why.UNREADABLE, "a file of the backup can't be read")
            _take_in_links(folder, scratch)
        return {} if self._wal is None else settings_for(from_folder(self._wal), to)

    def _newest(self) -> Path | None:
        if self._wal is None:
            return None
        try:
            found = [path for path in self._wal.iterdir() if SEGMENT.fullmatch(path.name)]
        except OSError:
            raise Failed(Why.WAL_MISSING, "the folder with WAL can't be read") from None
        return max(found, key=lambda path: path.name[:24], default=None)


def _backup(folder: Path, manifest: Path) -> Backup:
    about = manifest.stat()
    try:
        with manifest.open("rb") as file:
            content = json.loads(file.read(LARGEST))  # a longer one is cut, and so no JSON
        version, files = content["PostgreSQL-Backup-Manifest-Version"], content["Files"]
        size = sum(int(one["Size"]) for one in files)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise Failed(Why.UNREADABLE, "a backup's manifest can't be read: cut short or damaged") from None
    if version not in _VERSIONS:
        raise Failed(Why.UNREADABLE, f"a backup's manifest has the unknown version {version!r}")
    facts: dict[str, str | int | bool] = {"manifest_version": version}
    if "System-Identifier" in content:
        facts["system_identifier"] = str(content["System-Identifier"])
    return Backup(folder.name, about.st_mtime, size, _major(folder), about=facts)


def _major(folder: Path) -> int | None:
    try:
        return int((folder / "PG_VERSION").read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return None


def _archive(folder: Path) -> Path | None:
    """The base archive of a backup in tar files."""
    return next(iter(sorted(folder.glob("base.tar*"))), None)


def _part(folder: Path, name: str, scratch: Scratch) -> Path:
    """A backup of a chain as a data folder: unpacked here, or where it is."""
    archive = _archive(folder)
    if archive is None:
        return folder
    data = scratch.folder(name)
    _unpack(folder, archive, data, scratch)
    return data


def _unpack(folder: Path, base: Path, data: Path, scratch: Scratch) -> None:
    """The base archive, pg_wal's, and those of tablespaces."""
    wal = sorted(folder.glob("pg_wal.tar*"))
    name = "tablespace" if data == scratch.data else f"{data.name}-tablespace"
    spaces = [(path, scratch.folder(f"{name}-{_oid(path)}")) for path in folder.glob("*.tar*") if _oid(path)]
    for archive, to in ((base, data), *((path, data / "pg_wal") for path in wal), *spaces):
        ran = scratch.run(["tar", "-xf", str(archive), "-C", str(to)], cwd=scratch.path)
        if ran.code:
            raise Failed(Why.UNREADABLE, "an archive of the backup is damaged or cut short")
    for archive, to in spaces:
        take_in(scratch, data / "pg_tblspc" / _oid(archive), to)
    shutil.copyfile(folder / MANIFEST, data / MANIFEST)
    scratch.give(data / MANIFEST)


def _oid(archive: Path) -> str:
    """The number of the tablespace whose archive this is; empty where it is another."""
    found = re.fullmatch(r"(\d+)\.tar(\.[a-z0-9]+)?", archive.name)
    return found[1] if found else ""


def _take_in_links(folder: Path, scratch: Scratch) -> None:
    """Copy what a plain backup keeps elsewhere: its tablespaces, and its WAL where that has a place of its own."""
    links = [scratch.data / "pg_wal", *(scratch.data / "pg_tblspc").glob("*")]
    for link in links:
        if not link.is_symlink():
            continue
        source = folder / link.relative_to(scratch.data)
        to = scratch.folder(f"tablespace-{link.name}")
        ran = scratch.run(["cp", "-a", "--no-preserve=ownership", f"{source}/.", str(to)], cwd=scratch.path)
        if ran.code:
            raise Failed(Why.UNREADABLE, "a tablespace of the backup can't be read")
        take_in(scratch, link, to)
