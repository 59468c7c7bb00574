"""Records in one SQLite file on a local disk: the default, for one host.

WAL mode, so that `closewatch serve` reads while `closewatch work` writes; every commit is on the disk before a check
counts as recorded. SQLite's locks don't work on network file systems: the guide says so.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from closewatch.core.records.record import Chain, Record, make, timestamp
from closewatch.core.records.store import Lease, LeaseLost, StoreError, readable

PATIENCE = 5.0
"""Seconds to wait for another writer."""
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
_OF = '"check" = ? AND kind = ? AND target = ?'


class SqliteStore:
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

    def newest(self, chain: Chain, count: int = 1) -> Sequence[Record]:
        """The newest records of a chain, the newest first."""
        return readable(chain, self._found(f"WHERE {_OF} ORDER BY sequence DESC LIMIT ?", (*_key(chain), count)))

    def newest_passed(self, chain: Chain) -> Record | None:
        """The newest record that passed."""
        found = self._found(f"WHERE {_OF} AND result = 'passed' ORDER BY sequence DESC LIMIT 1", _key(chain))
        return readable(chain, found)[0] if found else None

    def lease(self, chain: Chain, owner: str, seconds: float) -> Lease | None:
        """A lease for so long; None while somebody else has one."""
        now = time.time()
        with self._writing() as connection:
            row = connection.execute(f"SELECT until, counter FROM lease WHERE {_OF}", _key(chain)).fetchone()  # noqa: S608
            # A clock that was set back must not keep everybody out for ever.
            if row is not None and now < row[0] <= now + 2 * max(seconds, 600.0):
                return None
            counter = 1 if row is None else row[1] + 1
            connection.execute(
                "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, ?, ?)", (*_key(chain), owner, now + seconds, counter)
            )
        return Lease(chain, owner, counter)

    def renew(self, lease: Lease, seconds: float) -> bool:
        """Keep it for so long from now; False where it was lost."""
        with self._writing() as connection:
            done = connection.execute(
                f"UPDATE lease SET until = ? WHERE {_OF} AND counter = ? AND owner = ?",  # noqa: S608 - no value in it
                (time.time() + seconds, *_key(lease.chain), lease.counter, lease.owner),
            )
        return done.rowcount == 1

    def release(self, lease: Lease) -> None:
        """Give it back."""
        with self._writing() as connection:
            _end(connection, lease)

    def append(self, lease: Lease, about: Mapping[str, Any], payload: Mapping[str, Any]) -> Record:
        """Add a record to the lease's chain and end the lease, in one transaction. Raises LeaseLost, ValueError."""
        with self._writing() as connection:
            if not _end(connection, lease):
                raise LeaseLost
            before = self.newest(lease.chain)
            record = make(about, payload, before[0] if before else None)
            values = (*_key(lease.chain), record.sequence, record.header_text, record.payload_text)
            connection.execute(
                'INSERT INTO record ("check", kind, target, sequence, header, payload) VALUES (?, ?, ?, ?, ?, ?)',
                values,
            )
        return record

    def chains(self) -> Sequence[Chain]:
        """All chains, in order."""
        return [Chain(*row) for row in self._rows('SELECT DISTINCT "check", kind, target FROM record ORDER BY 1, 2, 3')]

    def records(self, chain: Chain) -> Iterator[Record]:
        """A chain from its beginning."""
        last = 0
        while part := self._found(f"WHERE {_OF} AND sequence > ? ORDER BY sequence LIMIT 500", (*_key(chain), last)):
            yield from part
            last = self._rows(
                f"SELECT max(sequence) FROM (SELECT sequence FROM record WHERE {_OF} AND sequence > ? "  # noqa: S608
                "ORDER BY sequence LIMIT 500)",
                (*_key(chain), last),
            )[0][0]

    def expire(self, before: float) -> int:
        """Forget the payloads of records that ended before; gives how many."""
        with self._writing() as connection:
            text = 'UPDATE record SET payload = NULL WHERE "end" < ? AND payload IS NOT NULL'
            return connection.execute(text, (timestamp(before),)).rowcount

    def heads(self, after: str = "") -> Sequence[tuple[str, str]]:
        """The signed heads (document, signature) of the days after one, the oldest first."""
        rows = self._rows("SELECT document, signature FROM head WHERE day > ? ORDER BY day", (after,))
        return [(row[0], row[1]) for row in rows]

    def newest_head(self) -> tuple[str, str] | None:
        """The newest of them."""
        rows = self._rows("SELECT document, signature FROM head ORDER BY day DESC LIMIT 1")
        return (rows[0][0], rows[0][1]) if rows else None

    def keep_head(self, day: str, document: str, signature: str) -> None:
        """Keep the signed heads of a day."""
        with self._writing() as connection:
            connection.execute("INSERT INTO head VALUES (?, ?, ?)", (day, document, signature))

    def copies(self) -> Mapping[str, str]:
        """To which day each copy of the heads is complete."""
        return dict(self._rows("SELECT name, day FROM copy"))

    def copied(self, name: str, day: str) -> None:
        """Note that a copy has the heads up to a day."""
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO copy VALUES (?, ?)", (name, day))

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    def _found(self, where: str, values: Sequence[Any]) -> list[Record]:
        return [Record(row[0], row[1]) for row in self._rows(f"SELECT header, payload FROM record {where}", values)]  # noqa: S608

    def _rows(self, text: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            with self._lock:
                return self._connection.execute(text, values).fetchall()
        except sqlite3.Error as error:
            raise _said(self.path, error) from None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on the disk at its end, or nothing of it."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise _said(self.path, error) from None


def _end(connection: sqlite3.Connection, lease: Lease) -> bool:
    """The row stays, so that its counter goes on; nobody's now, as a lease is for one record."""
    done = connection.execute(
        f"UPDATE lease SET until = 0, owner = '' WHERE {_OF} AND counter = ? AND owner = ?",  # noqa: S608 - no value in it
        (*_key(lease.chain), lease.counter, lease.owner),
    )
    return done.rowcount == 1


def _key(chain: Chain) -> tuple[str, str, str]:
    return chain.check, chain.kind, chain.target


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
