"""Records in one SQLite file on a local disk: the default, for one host.

WAL mode, so that `closewatch serve` reads while `closewatch work` writes; every commit is on the disk before a check
counts as recorded. SQLite's locks don't work on network file systems: the guide says so.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from closewatch.core.records.sql import Execute, SqlStore
from closewatch.core.records.store import StoreError

PATIENCE = 5.0
"""Seconds to wait for another writer."""
ROOM = 1024 * 1024
"""Bytes that must be free on the disk: a record, and the log of SQLite."""
FORMAT = 2
SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    "check" TEXT NOT NULL, kind TEXT NOT NULL, target TEXT NOT NULL, sequence INTEGER NOT NULL,
    header TEXT NOT NULL, payload TEXT,
    "end" TEXT NOT NULL GENERATED ALWAYS AS (json_extract(header, '$.end')) STORED,
    result TEXT NOT NULL GENERATED ALWAYS AS (json_extract(header, '$.result')) STORED,
    PRIMARY KEY ("check", kind, target, sequence)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS record_result ON record ("check", kind, target, result, sequence);
CREATE INDEX IF NOT EXISTS record_payload ON record ("end") WHERE payload IS NOT NULL;
CREATE TABLE IF NOT EXISTS lease (
    "check" TEXT NOT NULL, kind TEXT NOT NULL, target TEXT NOT NULL,
    owner TEXT NOT NULL, until REAL NOT NULL, counter INTEGER NOT NULL,
    PRIMARY KEY ("check", kind, target)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS head (day TEXT PRIMARY KEY, document TEXT NOT NULL, signature TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS copy (name TEXT PRIMARY KEY, day TEXT NOT NULL) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS record_stays BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS header_stays BEFORE UPDATE OF header, sequence, "check", kind, target ON record
    BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS payload_only_goes BEFORE UPDATE OF payload ON record WHEN NEW.payload IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS head_stays BEFORE DELETE ON head BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS head_is_kept BEFORE UPDATE ON head BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""


class SqliteStore(SqlStore):
    """A store in a file. `read_only` opens it as `serve` does: it must be there already."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            if not read_only:
                os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            mode = "ro" if read_only else "rw"
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=PATIENCE,
                isolation_level=None,
                check_same_thread=False,
            )
            if not read_only:
                self._make()
            found = self._connection.execute("PRAGMA user_version").fetchone()[0]
            self._file = _identity(path)
        except (OSError, sqlite3.Error) as error:
            raise _said(path, error) from None
        if found != FORMAT:
            raise StoreError(f"{path}: is no record store of this version of closewatch")

    def _make(self) -> None:
        tables, version = (
            self._connection.execute(text).fetchone()[0]
            for text in ("SELECT count(*) FROM sqlite_master", "PRAGMA user_version")
        )
        if version not in {0, FORMAT} or (tables and not version):
            return
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")

    def current(self) -> bool:
        """Whether the file that is open is the one that is there."""
        return _identity(self.path) == self._file

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def unwritable(self) -> bool:
        """Whether nobody can write. That this process may not is no sign: the worker is another, with its rights."""
        try:
            room = os.statvfs(self.path)
            full = room.f_bavail * room.f_frsize < ROOM or room.f_files > 0 == room.f_favail
            # The folder too: SQLite keeps its log there.
            writers = (place.stat().st_mode & stat.S_IWUSR for place in (self.path, self.path.absolute().parent))
            return full or not all(writers)
        except OSError:
            return True

    def _now(self) -> float:
        return time.time()

    def _rows(self, text: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            with self._lock:
                return self._connection.execute(text, values).fetchall()
        except sqlite3.Error as error:
            raise _said(self.path, error) from None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Execute]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection.execute
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise _said(self.path, error) from None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


_WORDS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "it can't be written to",
    "SQLITE_BUSY": "another program holds it",
    "SQLITE_LOCKED": "another program holds it",
    "SQLITE_CORRUPT": "it is damaged",
    "SQLITE_NOTADB": "it is no database of SQLite",
    "SQLITE_CANTOPEN": "it can't be opened: is the folder there, and may this user read and write it?",
    "SQLITE_CONSTRAINT": "what was to be written is there already, or is kept from being changed",
}


def _said(path: Path, error: Exception) -> StoreError:
    if isinstance(error, OSError):
        return StoreError(f"{path}: {error.strerror or 'can not be opened'}")
    code = getattr(error, "sqlite_errorname", "") or ""
    words = next((words for name, words in _WORDS.items() if code.startswith(name)), None)
    return StoreError(f"{path}: {words or f'SQLite says {code or error.__class__.__name__}'}")
