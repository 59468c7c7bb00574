"""Unpacks archives that others made: nothing gets out of the folder, nothing but plain files comes into being.

A name that leads out, a link, a device or a second file of the same name ends it. Space is watched while it is written,
whatever sizes the archive claims; rights, owners and times are not taken over.
"""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from closewatch.restores.origins import unpacked
from closewatch.restores.pipe import Reader
from closewatch.restores.why import Failed, Why, unwritten

LONGEST_NAME = 1024
MOST_FILES = 20_000_000
Need = Callable[[], object]
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def place(root: Path, name: str) -> Path:
    """Where a member belongs. Raises Failed where that is not below the root."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if not parts or ".." in parts or name.startswith("/") or "\\" in name or "\0" in name or len(name) > LONGEST_NAME:
        raise Failed(Why.UNREADABLE, "a name in the archive leads out of it")
    return root.joinpath(*parts)


def _write(source: IO[bytes], to: Path, need: Need) -> int:
    """Copy a member; the folder is made where it isn't there."""
    size = 0
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(to, _NEW, 0o600)
    except FileExistsError:
        raise Failed(Why.UNREADABLE, "a file is in the archive twice") from None
    except OSError as error:
        raise unwritten(error) from None
    with os.fdopen(handle, "wb", buffering=0) as file:
        for part in unpacked.of_file(source, need):
            try:
                file.write(part)
            except OSError as error:
                raise unwritten(error) from None
            size += len(part)
    return size


def unzip(archive: zipfile.ZipFile, below: str, root: Path, need: Need) -> int:
    """The members whose names begin with `below`, without that; gives how many. Raises Failed."""
    count = 0
    for member in archive.infolist():
        name = member.filename.removeprefix("./")
        if not name.startswith(below) or member.is_dir():
            continue
        mode = member.external_attr >> 16
        if mode and stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
            raise Failed(Why.UNREADABLE, "there is a link or device in the archive")
        need()
        to = place(root, name.removeprefix(below))
        try:
            with archive.open(member) as source:
                _write(source, to, need)
        except (*unpacked.DAMAGED, RuntimeError):
            raise Failed(Why.UNREADABLE, "a file in the zip is damaged, encrypted or cut short") from None
        count += 1
    return count


def untar(path: Path, root: Path, need: Need) -> int:
    """A tarball, also compressed; gives how many files. Raises Failed."""
    count = 0
    reader: Any = Reader(unpacked.chunks(path, need))
    try:
        with tarfile.open(fileobj=reader, mode="r|") as archive:
            for member in _files(archive):
                source = archive.extractfile(member)
                assert source is not None
                _write(source, place(root, member.name), need)
                count += 1
                if count > MOST_FILES:
                    raise Failed(Why.UNREADABLE, "there are too many files in the archive")
    except (tarfile.TarError, EOFError, ValueError):
        raise Failed(Why.UNREADABLE, "the tarball is cut short or altered") from None
    reader.drain()
    return count


def _files(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        archive.members = []  # type: ignore[attr-defined] # it would keep each
        if member.isreg() and not member.issparse():
            yield member
        elif not member.isdir():
            raise Failed(Why.UNREADABLE, "there is a link, a device or a sparse file in the archive")
