"""Backups of a filestore alone: a tarball, also compressed, or a zip; unpacked for those who verify it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from closewatch.backups.archives import ZIP
from closewatch.backups.found import Type
from closewatch.restores.origins import safely, unpacked
from closewatch.restores.origins.base import Backup
from closewatch.restores.origins.files import Files
from closewatch.restores.origins.odoozip import zipped
from closewatch.restores.why import Failed, Why

if TYPE_CHECKING:
    from closewatch.restores.scratch import Scratch

TYPES = (Type.ARCHIVE, Type.ODOO_ZIP)
UNPACKED = "filestore"
DEEPEST = 6
_HEX = frozenset("0123456789abcdef")


@dataclass(slots=True)
class Filestore:
    """The newest good archive of a filestore."""

    files: Files

    def newest(self, scratch: Scratch) -> Backup:
        """Which one that is. Raises Failed."""
        first = self.files.good(scratch)[0]
        return Backup(first.entry.name, first.at, about={"type": str(first.found.type), "bytes": first.entry.size})

    def fetch(self, scratch: Scratch, backup: Backup | None = None) -> Path:
        """Unpack it; gives the folder in which names of attachments begin. Raises Failed."""
        chosen = backup or self.newest(scratch)
        path = self.files.near(chosen.id, scratch)
        to = scratch.folder(UNPACKED)
        if unpacked.head(path, 4) == ZIP:
            with zipped(path) as archive:
                safely.unzip(archive, "", to, scratch.watch)
        else:
            safely.untar(path, to, scratch.watch)
        return root_in(to)


def root_in(folder: Path) -> Path:
    """Where the folders of two (once three) hexadecimal digits are: tarballs have filestore/DATABASE/ before them.

    Raises Failed where there is none, or more than one: whose filestore it is can't be guessed.
    """
    level, found = [folder], list[Path]()
    for _ in range(DEEPEST):
        found = [one for one in level if any(_is_part(below) for below in one.iterdir())]
        if found:
            break
        level = [below for one in level for below in one.iterdir() if below.is_dir() and not below.is_symlink()]
    if len(found) != 1:
        what = "several filestores" if found else "no filestore"
        raise Failed(Why.FILESTORE_INCOMPLETE, f"there is {what} in the archive")
    return found[0]


def _is_part(folder: Path) -> bool:
    return len(folder.name) in {2, 3} and _HEX.issuperset(folder.name) and folder.is_dir()
