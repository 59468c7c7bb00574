"""What stores in databases share: the statements, in the SQL that SQLite and PostgreSQL both speak.

A store brings the tables, its connection and its errors; `?` stands for a value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from closewatch.core.records.record import Chain, Record, make, timestamp
from closewatch.core.records.store import Lease, LeaseLost, readable

Execute = Callable[[str, Sequence[Any]], Any]
"""Runs a statement; gives a cursor with `fetchall` and `rowcount` (PEP 249)."""
PART = 500
"""Records that are read, or whose payloads are forgotten, at once."""
FAR = 600.0
"""Seconds; a lease that ends later than twice that was taken while a clock was ahead, and keeps nobody out."""
_OF = '"check" = ? AND kind = ? AND target = ?'


class SqlStore(ABC):
    """A store in a database."""

    @abstractmethod
    def _rows(self, text: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows of a query, also within `_writing`. Raises StoreError."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[Execute]:
        """One transaction, on the disk at its end, or nothing of it. Raises StoreError."""

    @abstractmethod
    def _now(self) -> float:
        """Unix seconds, of the clock that all who share the store go by."""

    def newest(self, chain: Chain, count: int = 1) -> Sequence[Record]:
        """The newest records of a chain, the newest first."""
        return readable(chain, self._found(f"WHERE {_OF} ORDER BY sequence DESC LIMIT ?", (*_key(chain), count)))

    def newest_passed(self, chain: Chain) -> Record | None:
        """The newest record that passed."""
        found = self._found(f"WHERE {_OF} AND result = 'passed' ORDER BY sequence DESC LIMIT 1", _key(chain))
        return readable(chain, found)[0] if found else None

    def lease(self, chain: Chain, owner: str, seconds: float) -> Lease | None:
        """A lease for so long; None while somebody else has one."""
        with self._writing() as execute:
            now = self._now()
            taken = execute(
                'INSERT INTO lease AS held ("check", kind, target, owner, until, counter) VALUES (?, ?, ?, ?, ?, 1)'
                ' ON CONFLICT ("check", kind, target)'
                " DO UPDATE SET owner = excluded.owner, until = excluded.until, counter = held.counter + 1"
                " WHERE held.until <= ? OR held.until > ? RETURNING counter",
                (*_key(chain), owner, now + seconds, now, now + 2 * max(seconds, FAR)),
            ).fetchall()
        return Lease(chain, owner, taken[0][0]) if taken else None

    def renew(self, lease: Lease, seconds: float) -> bool:
        """Keep it for so long from now; False where it was lost."""
        with self._writing() as execute:
            return _update(execute, lease, "until = ?", (self._now() + seconds,))

    def release(self, lease: Lease) -> None:
        """Give it back."""
        with self._writing() as execute:
            _end(execute, lease)

    def append(self, lease: Lease, about: Mapping[str, Any], payload: Mapping[str, Any]) -> Record:
        """Add a record to the lease's chain and end the lease, in one transaction. Raises LeaseLost, ValueError."""
        with self._writing() as execute:
            if not _end(execute, lease):
                raise LeaseLost
            before = self.newest(lease.chain)
            record = make(about, payload, before[0] if before else None)
            execute(
                'INSERT INTO record ("check", kind, target, sequence, header, payload) VALUES (?, ?, ?, ?, ?, ?)',
                (*_key(lease.chain), record.sequence, record.header_text, record.payload_text),
            )
        return record

    def chains(self) -> Sequence[Chain]:
        """All chains, in order."""
        return [Chain(*row) for row in self._rows('SELECT DISTINCT "check", kind, target FROM record ORDER BY 1, 2, 3')]

    def records(self, chain: Chain) -> Iterator[Record]:
        """A chain from its beginning."""
        text = f"SELECT header, payload, sequence FROM record WHERE {_OF} AND sequence > ? ORDER BY sequence LIMIT ?"  # noqa: S608 - no value in it
        last = 0
        while part := self._rows(text, (*_key(chain), last, PART)):
            yield from (Record(row[0], row[1]) for row in part)
            last = part[-1][2]

    def expire(self, before: float) -> int:
        """Forget the payloads of records that ended before, some at a time; gives how many."""
        key = '"check", kind, target, sequence'
        text = (
            f"UPDATE record SET payload = NULL WHERE payload IS NOT NULL AND ({key}) IN"  # noqa: S608 - no value in it
            f' (SELECT {key} FROM record WHERE "end" < ? AND payload IS NOT NULL LIMIT ?)'
        )
        gone = 0
        while True:
            with self._writing() as execute:
                part = int(execute(text, (timestamp(before), PART)).rowcount)
            gone += part
            if not part:
                return gone

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
        with self._writing() as execute:
            execute("INSERT INTO head VALUES (?, ?, ?)", (day, document, signature))

    def copies(self) -> Mapping[str, str]:
        """To which day each copy of the heads is complete."""
        return {str(row[0]): str(row[1]) for row in self._rows("SELECT name, day FROM copy")}

    def copied(self, name: str, day: str) -> None:
        """Note that a copy has the heads up to a day."""
        text = "INSERT INTO copy VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET day = excluded.day"
        with self._writing() as execute:
            execute(text, (name, day))

    def _found(self, where: str, values: Sequence[Any]) -> list[Record]:
        return [Record(row[0], row[1]) for row in self._rows(f"SELECT header, payload FROM record {where}", values)]  # noqa: S608


def _end(execute: Execute, lease: Lease) -> bool:
    """The row stays, so that its counter goes on; nobody's now, as a lease is for one record."""
    return _update(execute, lease, "until = 0, owner = ''")


def _update(execute: Execute, lease: Lease, what: str, values: Sequence[Any] = ()) -> bool:
    """Whether the lease was still its owner's."""
    text = f"UPDATE lease SET {what} WHERE {_OF} AND counter = ? AND owner = ?"  # noqa: S608 - no value in it
    return bool(execute(text, (*values, *_key(lease.chain), lease.counter, lease.owner)).rowcount == 1)


def _key(chain: Chain) -> tuple[str, str, str]:
    return chain.check, chain.kind, chain.target
