"""Reading one file with certificates: bounded, never blocking on a pipe, and whole even while it is being replaced."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from closewatch.core.reasons import Reason
from closewatch.core.secrets import Secret
from closewatch.sources.certificates.parse import Certificates, parse
from closewatch.sources.certificates.words import Fault, Unreadable

MAX_BYTES = 4 * 2**20
"""A system's bundle of all authorities has a quarter of a MiB."""

State = tuple[int, int, int, int]
"""Inode, size, mtime and ctime in nanoseconds: what changes whenever a file is replaced or rewritten."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a file held, and when it was written (Unix seconds)."""

    certificates: Certificates
    written: float


def state_of(path: Path | str) -> State:
    """The state of the file that the path leads to in the end. Raises Unreadable."""
    try:
        return _state(os.stat(path))  # noqa: PTH116 - a text is enough, thousands of times
    except OSError as error:
        raise why(error) from None


def read_file(path: Path | str, password: Secret | None = None) -> ReadFile:
    """The certificates of a file. Raises Unreadable."""
    data, state = content(path, MAX_BYTES)
    return ReadFile(parse(data, password), state[2] / 1e9)


def content(path: Path | str, limit: int) -> tuple[bytes, State]:
    """The bytes of a file and its state; read again once where it changed meanwhile. Raises Unreadable."""
    for _ in range(2):
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            raise why(error) from None
        try:
            before = os.fstat(handle)
            if stat.S_ISDIR(before.st_mode):
                raise Unreadable(Fault.NO_CERTIFICATE)  # a folder in which nothing looks like one
            if not stat.S_ISREG(before.st_mode):
                raise Unreadable(Fault.NOT_A_FILE)
            if before.st_size > limit:
                raise Unreadable(Fault.TOO_LARGE)
            data = _all(handle, limit)
            if _state(os.fstat(handle)) == _state(before):
                return data, _state(before)
        except OSError as error:
            raise why(error) from None
        finally:
            os.close(handle)
    raise Unreadable(Fault.CHANGING)


def why(error: Exception) -> Unreadable:
    """An error of the operating system in our words."""
    code = getattr(error, "errno", None)
    if code == errno.ELOOP:
        return Unreadable(Fault.CIRCLE)
    if code in (errno.EACCES, errno.EPERM):
        return Unreadable(Reason.PERMISSION)
    if code in (errno.ENXIO, errno.EISDIR):
        return Unreadable(Fault.NOT_A_FILE)
    if code in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return Unreadable(Fault.GONE)
    return Unreadable(Fault.GONE if code is None else Fault.IO_ERROR)


def _state(found: os.stat_result) -> State:
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _all(handle: int, limit: int) -> bytes:
    parts, size = [], 0
    while part := os.read(handle, 2**20):
        size += len(part)
        if size > limit:
            raise Unreadable(Fault.TOO_LARGE)
        parts.append(part)
    return b"".join(parts)
