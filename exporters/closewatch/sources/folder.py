"""How a folder is asked: what lies in it, and a few bytes of a file. Nothing is followed, nothing is waited for.

Symbolic links are left out (`latest.dump` is no second backup), and so is what is no regular file: opening a named pipe
would wait for a writer. A hung mount blocks in the kernel; the caller runs this aside (see `sources.aside`).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.store import PART, TOC, Entry, Gone, Levels, Listing, pattern

MOST = 200_000
"""Entries that are looked at in one go: about a second on a local disk."""
_REASONS = {
    errno.ENOENT: Reason.NOT_FOUND,
    errno.ENOTDIR: Reason.NOT_FOUND,
    errno.EACCES: Reason.PERMISSION,
    errno.EPERM: Reason.PERMISSION,
    errno.ETIMEDOUT: Reason.TIMEOUT,
    errno.ESTALE: Reason.CONNECTION_LOST,
    errno.EHOSTDOWN: Reason.UNREACHABLE,
    errno.EHOSTUNREACH: Reason.UNREACHABLE,
}


class Folder:
    """A folder, and the files in it whose names fit a pattern."""

    atomic = False

    def __init__(self, path: Path, fitting: str) -> None:
        self.path = path
        self.where = "the folder"
        self._levels = pattern(fitting)
        self._seen = 0

    def list(self, deadline: Deadline) -> Listing:
        """The files that fit, and folders that pg_dump wrote or writes. Raises Unavailable."""
        self._seen = 0
        try:
            found = list(self._walk(self.path, "", self._levels, deadline))
        except OSError as error:
            raise unavailable(error, "the folder") from None
        return Listing.of(found, truncated=self._seen > MOST)

    def _walk(self, folder: Path, above: str, levels: Levels, deadline: Deadline) -> Iterator[Entry]:
        with os.scandir(folder) as entries:
            for entry in entries:
                self._seen += 1
                if self._seen > MOST:
                    return
                deadline.need()
                if not levels[0].match(entry.name) or entry.is_symlink():
                    continue
                try:
                    if len(levels) > 1:
                        if entry.is_dir(follow_symlinks=False):
                            yield from self._walk(folder / entry.name, f"{above}{entry.name}/", levels[1:], deadline)
                    elif (found := _entry(entry, above)) is not None:
                        yield found
                except FileNotFoundError:
                    continue  # removed since it was listed

    def read(self, entry: Entry, part: str, start: int, length: int, deadline: Deadline) -> bytes:
        """Bytes of a file. Raises Gone where it is another now, Unavailable where it can't be read."""
        deadline.need()
        path = self.path / entry.name / part if part else self.path / entry.name
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise Gone from None
        except OSError as error:
            raise unavailable(error, "a file") from None
        try:
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode) or (not part and _tag(about) != entry.tag):
                raise Gone
            return os.pread(handle, length, start)
        except OSError as error:
            raise unavailable(error, "a file") from None
        finally:
            os.close(handle)

    def close(self) -> None:
        """Nothing is held."""


def unavailable(error: OSError, what: str) -> Unavailable:
    """A system's error as a reason, without the names in it."""
    reason = _REASONS.get(error.errno or 0, Reason.SERVER_ERROR)
    return Unavailable(reason, f"{what}: {errno.errorcode.get(error.errno or 0, 'unknown error')}")


def _tag(about: os.stat_result) -> str:
    return f"{about.st_size}:{about.st_mtime_ns}"


def _entry(entry: os.DirEntry[str], above: str) -> Entry | None:
    """A regular file; or a folder of pg_dump's, whole or without its table of contents yet; None for all else."""
    about = entry.stat(follow_symlinks=False)
    if stat.S_ISREG(about.st_mode):
        return Entry(above + entry.name, about.st_size, about.st_mtime, _tag(about))
    if not stat.S_ISDIR(about.st_mode):
        return None
    parts: dict[str, int] = {}
    newest, stamp = 0.0, 0
    with os.scandir(entry.path) as inside:
        for one in inside:
            if PART.fullmatch(one.name) and one.is_file(follow_symlinks=False):
                of = one.stat(follow_symlinks=False)
                parts[one.name] = of.st_size
                newest, stamp = max(newest, of.st_mtime), max(stamp, of.st_mtime_ns)
    if not parts or (TOC not in parts and not any(name[0].isdigit() for name in parts)):
        return None
    size = sum(parts.values())
    return Entry(above + entry.name, size, newest, f"{len(parts)}:{size}:{stamp}", parts)
