"""The verification that each tool has of its own, and a full read of an archive: dear, and so only for a schedule.

Each gives what it looked at (`type`, `by`) and, where it did not pass, a word of a closed set. What a tool prints is
never kept. Source: the manuals of pgbackrest verify (2.45 to 2.59), restic check, barman check-backup and
verify-backup, and pg_verifybackup (13 to 18).
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from closewatch.backups.archives import BZIP2, GZIP, XZ, ZIP, is_tar
from closewatch.backups.basebackup import MANIFEST as MANIFEST_FILE
from closewatch.backups.builders import files
from closewatch.backups.dump import MAGIC
from closewatch.backups.found import Found, Type
from closewatch.backups.judge import beside, under_way
from closewatch.backups.reading import understood
from closewatch.backups.rows import ARCHIVE, MANIFEST, TOOL
from closewatch.core.checks import Task
from closewatch.core.deadline import Deadline
from closewatch.sources import tool
from closewatch.sources.store import Entry, Store

PIECE = 1024 * 1024
_RESTIC = {
    "there is no repository": "not_found",
    "the repository is locked": "locked",
    "the password is wrong": "authentication",
}
_WRONG = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile, ValueError)


class Verified(NamedTuple):
    """`passed` is None where it could not be looked at, with the reason why."""

    type: Type
    by: str
    passed: bool | None
    reason: str | None = None


def _code(type: Type, by: str, ran: tool.Ran, reason: str = "corrupt") -> Verified:
    return Verified(type, by, not ran.code, reason if ran.code else None)


def pgbackrest(of: Any, task: Task) -> Verified:
    """`verify` prints text: where all is right, nothing but its status."""
    config = [f"--config={of.config}"] if of.config else []
    options = [
        f"--stanza={of.stanza}",
        f"--repo={of.repo}",
        *config,
        "--log-level-console=error",
        "--log-level-file=off",
    ]
    ran = tool.run([*of.command, *options, "--output=text", "--verbose", "verify"], task.deadline)
    if ran.code:
        return _code(Type.FULL, TOOL, ran)
    said = ran.out.decode("utf-8", "replace")
    status = [line.partition("status:")[2].strip() for line in said.splitlines() if line.strip().startswith("status:")]
    if not status:
        return Verified(Type.FULL, TOOL, None, "tool_failed")
    good = status[0] == "ok"
    return Verified(Type.FULL, TOOL, good, None if good else "corrupt")


def restic(of: Any, task: Task) -> Verified:
    """`check` looks at the structure of the repository, and does not read all data."""
    from closewatch.backups.restic import Repository, refused  # noqa: PLC0415

    repository = Repository(of.command, of.repository, of.password, ())
    ran = repository.run(task.deadline, "check", judged=False)
    if not ran.code:
        return Verified(Type.SNAPSHOT, TOOL, True)
    said = str(refused(ran))
    reason = next((word for words, word in _RESTIC.items() if said.endswith(words)), None)
    return Verified(Type.SNAPSHOT, TOOL, None if reason else False, reason or "corrupt")


def barman(of: Any, task: Task) -> Verified:
    """`check-backup` asks whether all WAL of the newest is there; `verify-backup` is pg_verifybackup on its host."""
    command = [*of.command, *(["-c", str(of.config)] if of.config else [])]
    listed = tool.run([*command, "-f", "json", "list-backup", of.server], task.deadline)
    if listed.code:
        return Verified(Type.FULL, TOOL, None, "tool_failed")
    done = understood(
        "barman's list",
        lambda: sorted(str(one["backup_id"]) for one in listed.json()[of.server] if one["status"] == "DONE"),
    )
    if not done:
        return Verified(Type.FULL, TOOL, None, "no_backup")
    ran = tool.run([*command, "check-backup", of.server, done[-1]], task.deadline)
    if ran.code:
        return _code(Type.FULL, TOOL, ran, "incomplete")
    return _code(Type.FULL, MANIFEST, tool.run([*command, "verify-backup", of.server, done[-1]], task.deadline))


def basebackup(of: Any, task: Task) -> Verified:
    """`pg_verifybackup` of the newest: each file's checksum; the WAL lies elsewhere, and is not parsed."""
    newest = max(of.path.glob(f"*/{MANIFEST_FILE}"), key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        return Verified(Type.FULL, MANIFEST, None, "no_backup")
    if not (newest.parent / "PG_VERSION").is_file():
        return Verified(Type.FULL, MANIFEST, None, "cannot_check")  # tar files: only from PostgreSQL 18
    return _code(Type.FULL, MANIFEST, tool.run([_verifybackup(newest.parent), "-n", str(newest.parent)], task.deadline))


def _verifybackup(folder: Path) -> str:
    """That of the backup's own version where Debian keeps it, else the one on the PATH."""
    try:
        major = (folder / "PG_VERSION").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        major = ""
    own = Path("/usr/lib/postgresql") / major / "bin" / "pg_verifybackup"
    return str(own) if major.isdigit() and own.is_file() else "pg_verifybackup"


def archive(of: Any, task: Task) -> Verified:
    """All of the newest good file is read and unpacked, and its checksums computed."""
    looking = files(of)
    try:
        listing = looking.store.list(task.deadline)
        for entry in listing.entries:
            if beside(entry.name) or under_way(entry.name) or not entry.readable:
                continue
            if entry.parts:
                return _restored(of, entry, Type.DUMP, task.deadline)
            found = looking.found(entry, task.deadline)
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
        return _restored(of, entry, kind, task.deadline)
    try:
        known = _unpacked(stream, head)
    except _WRONG:
        return Verified(kind, ARCHIVE, False, "corrupt")
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


def _restored(of: Any, entry: Entry, kind: Type, deadline: Deadline) -> Verified:
    """`pg_restore` to nowhere reads all data of a dump; it needs a file, and can't be older than the dump."""
    path = getattr(of, "path", None)
    if not isinstance(path, Path) or hasattr(of, "bucket"):
        return Verified(kind, ARCHIVE, None, "cannot_check")
    return _code(kind, ARCHIVE, tool.run(["pg_restore", "--file=/dev/null", str(path / entry.name)], deadline))


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


VERIFIERS: Mapping[str, Callable[[Any, Task], Verified]] = {
    "folder": archive,
    "s3": archive,
    "pgbackrest": pgbackrest,
    "barman": barman,
    "restic": restic,
    "basebackup": basebackup,
}
