"""A full read of the newest file: all of it is unpacked, and the checksums of its format computed.

A zip has a CRC of each file, gzip, xz and bzip2 of their content; a tar has only its headers. A dump in pg_dump's own
formats is read by pg_restore, which restores it to nowhere.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from closewatch.backups.archives import BZIP2, GZIP, XZ, ZIP, is_tar
from closewatch.backups.builders import files
from closewatch.backups.dump import MAGIC
from closewatch.backups.found import Found, Type
from closewatch.backups.judge import beside, under_way
from closewatch.backups.rows import ARCHIVE
from closewatch.backups.verification import Verified, until
from closewatch.core.checks import Task
from closewatch.sources import tool
from closewatch.sources.store import Entry, Gone, Store

PIECE = 1024 * 1024
_WRONG = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, struct.error, EOFError,
    ValueError, OverflowError, KeyError,
)  # fmt: skip
_NOT_OURS = (b"unsupported version", b"built without", b"could not open", b"Permission denied", b"not support")
"""What pg_restore says of a dump that it can't read, whole or not."""


def archive(of: Any, task: Task) -> Verified:
    """All of the newest good file is read and unpacked, and its checksums computed."""
    looking = files(of)
    try:
        listing = looking.store.list(task.deadline)
        for entry in listing.entries:
            if beside(entry.name) or under_way(entry.name) or not entry.readable:
                continue
            if entry.parts:
                return _restored(of, entry, Type.DUMP, task)
            try:
                found = looking.found(entry, task.deadline)
            except Gone:
                continue
            if found.fault is None:
                return _read(of, looking.store, entry, found, task)
        return Verified(Type.ARCHIVE, ARCHIVE, None, "no_backup")
    finally:
        looking.store.close()


def _read(of: Any, store: Store, entry: Entry, found: Found, task: Task) -> Verified:
    kind = found.type or Type.OPAQUE
    stream = io.BufferedReader(_Reading(store, entry, task), PIECE)
    head = stream.peek(512)[:512]
    if head.startswith(MAGIC):
        return _restored(of, entry, kind, task)
    try:
        known = _unpacked(stream, head)
    except _WRONG:
        return Verified(kind, ARCHIVE, False, "corrupt")
    except Gone:
        return Verified(kind, ARCHIVE, None, "cannot_check")
    except RuntimeError:  # a zip with a password, or packed in a way that Python doesn't know
        return Verified(kind, ARCHIVE, None, "cannot_check")
    return Verified(kind, ARCHIVE, True if known else None, None if known else "cannot_check")


def _unpacked(stream: Any, head: bytes) -> bool:
    """Whether it is of a kind that has checksums, or an end; all of it was read then."""
    if head.startswith(ZIP):
        with zipfile.ZipFile(stream) as found:
            if found.testzip() is not None:
                raise ValueError
        return True
    if is_tar(head):
        with tarfile.open(fileobj=stream, mode="r|") as found:
            for each in found:
                if each.isreg():
                    _drain(found.extractfile(each))
        return True
    openers: Mapping[bytes, Callable[[Any], Any]] = {GZIP: gzip.open, XZ: lzma.open, BZIP2: bz2.open}
    for magic, opener in openers.items():
        if head.startswith(magic):
            try:
                _drain(opener(stream))
            except OSError:
                raise ValueError from None
            return True
    return False


def _drain(stream: Any) -> None:
    while stream is not None and stream.read(PIECE):
        pass


def _restored(of: Any, entry: Entry, kind: Type, task: Task) -> Verified:
    """`pg_restore` to nowhere reads all data of a dump; it needs a file, and can't be older than the dump."""
    path = getattr(of, "path", None)
    if not isinstance(path, Path) or hasattr(of, "bucket"):
        return Verified(kind, ARCHIVE, None, "cannot_check")
    ran = tool.run(["pg_restore", "--file=/dev/null", str(path / entry.name)], until(task))
    if not ran.code:
        return Verified(kind, ARCHIVE, True)
    if ran.code != 1 or any(words in ran.err for words in _NOT_OURS):
        return Verified(kind, ARCHIVE, None, "cannot_check" if ran.code == 1 else "tool_failed")
    return Verified(kind, ARCHIVE, False, "corrupt")


class _Reading(io.RawIOBase):
    """A file of a store as a stream; each piece asks whether the check may go on."""

    def __init__(self, store: Store, entry: Entry, task: Task) -> None:
        self._store, self._entry, self._task = store, entry, task
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._entry.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._task.need()
        length = min(len(buffer), self._entry.size - self._at)
        data = self._store.read(self._entry, "", self._at, length, self._task.deadline) if length > 0 else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
