"""The content of a file that may be compressed, in chunks: gzip, bzip2 and xz by Python, zstd by its own program."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from closewatch.backups.archives import BZIP2, GZIP, XZ, ZSTD
from closewatch.restores.pipe import piped
from closewatch.restores.why import Failed, Why, unwritten

CHUNK = 1024 * 1024
Need = Callable[[], object]
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile)
"""What is raised for data that are cut short or altered; of bzip2 it is a plain OSError or ValueError."""


def head(path: Path, length: int = 4096) -> bytes:
    """The first bytes of a file. Raises Failed."""
    try:
        with path.open("rb") as file:
            return file.read(length)
    except OSError:
        raise Failed(Why.UNREADABLE, "the backup's file can't be read") from None


def packed(path: Path) -> bool:
    """Whether it is compressed."""
    return head(path, 16).startswith((GZIP, ZSTD, XZ, BZIP2))


def chunks(path: Path, need: Need) -> Iterator[bytes]:
    """The content, unpacked where it is packed. Raises Failed where it is damaged or cut short."""
    first = head(path, 16)
    if first.startswith(ZSTD):
        yield from _zstd(path, need)
        return
    with _open(path, first) as file:
        yield from of_file(file, need)


def _open(path: Path, first: bytes) -> IO[bytes]:
    try:
        if first.startswith(GZIP):
            return cast("IO[bytes]", gzip.open(path))
        if first.startswith(XZ):
            return lzma.open(path)
        return bz2.open(path) if first.startswith(BZIP2) else path.open("rb")
    except OSError:
        raise Failed(Why.UNREADABLE, "the backup's file can't be read") from None


def of_file(file: IO[bytes], need: Need) -> Iterator[bytes]:
    """The content of an open file, in chunks. Raises Failed where it is damaged or cut short."""
    try:
        while part := file.read(CHUNK):
            need()
            yield part
    except DAMAGED:
        raise Failed(Why.UNREADABLE, "its compressed data are cut short or altered") from None
    except (OSError, ValueError):
        raise Failed(Why.UNREADABLE, "its data can't be read: altered, or the file is unreadable") from None


def _zstd(path: Path, need: Need) -> Iterator[bytes]:
    with piped(["zstd", "--decompress", "--stdout", "--quiet", "--memory=2048MB", "--", str(path)]) as program:
        yield from program.chunks(need)
        if program.code:
            raise Failed(Why.UNREADABLE, "its compressed data are cut short or altered")


def write(parts: Iterator[bytes], to: Path) -> None:
    """Put the content into a new file. Raises Failed."""
    try:
        with to.open("xb") as file:
            for part in parts:
                file.write(part)
    except OSError as error:
        raise unwritten(error) from None
