"""Reads the books of a restored Odoo database: which Odoo it is, and whether its ledger is right.

It is given an open connection in a REPEATABLE READ, READ ONLY transaction, so that all it reads is of one moment, and
sets nothing but that transaction's search path. Columns are looked up, never concluded from the version. Sums are made
by the server; hashes are streamed, so that a ledger of any size needs no more memory than a small one. Errors of the
connection (a damaged page, a time limit of the server) go to the caller.

Rights: those of the database's owner. Cost, of 10 million items: some minutes, most of it for hashes, as far as there
are any. Source: Odoo 15 to 19.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from closewatch.books import chain, fingerprints, numbering, trial
from closewatch.books.balance import FEW, Seen, Sums, judge
from closewatch.books.fingerprints import Anchors
from closewatch.restores.verify import ledger_queries as queries
from closewatch.restores.verify.books import Books, Ledger, Numbering, Odoo, Posted, Secured
from closewatch.restores.verify.ledger_queries import Columns

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

CHUNK = 1000
UNKNOWN = "unknown"
AHEAD = 300.0
"""Seconds by which clocks may differ."""
_VERSION = re.compile(r"((?:saas[~-])?[0-9]{1,3}\.[0-9]{1,3})(?:[.+~-][0-9a-z]{1,12}){0,6}")
_PENDING = {"to install", "to upgrade", "to remove"}

Pause = Callable[[], object]
"""Called between chunks: raises where the look must end."""


def look(
    connection: Connection, now: float, *, before: Mapping[str, Any] | None = None, pause: Pause = lambda: None
) -> Books:
    """What the database holds. `before` is the payload of an earlier look, whose hashes are then looked for.

    Raises ValueError where the connection could write, or could see two moments.
    """
    return _Look(connection, now, pause).books(before)


def figures(connection: Connection, now: float, *, pause: Pause = lambda: None) -> Mapping[str, Any]:
    """What to record when a backup is taken, for `compare` when it is restored."""
    return look(connection, now, pause=pause).payload()


def compare(before: Mapping[str, Any], now: Books) -> list[str]:
    """What contradicts the payload of an earlier look; empty where nothing does.

    Give `before` to `look` too: else a hash is compared only where its chain has not grown since.
    """
    return fingerprints.compare(before.get("figures") or {}, now.figures(), now.anchors)


def another(before: Mapping[str, Any], now: Books) -> bool:
    """Whether it is surely another database than that of the payload: one that Odoo gave another id."""
    recorded, found = (before.get("figures") or {}).get("identity"), now.odoo.identity if now.odoo else None
    return recorded is not None and found is not None and recorded != found


def identity(uuid: str) -> str:
    """The digest of Odoo's `database.uuid` that stands for it in records."""
    return hashlib.sha256(uuid.encode()).hexdigest()[:32]


class _Look:
    """One look over one connection."""

    def __init__(self, connection: Connection, now: float, pause: Pause) -> None:
        self._connection, self._now, self._pause = connection, now, pause
        self._columns: Columns = {}

    def books(self, before: Mapping[str, Any] | None) -> Books:
        """All of it."""
        self._connection.execute(queries.PREPARE)
        if self._one(queries.SESSION) != ("on", "repeatable read"):
            raise ValueError("the books are read in a transaction that is READ ONLY and REPEATABLE READ")
        columns: dict[str, set[str]] = {}
        for table, column in self._connection.execute(queries.COLUMNS, [list(queries.TABLES)]):
            columns.setdefault(table, set()).add(column)
        self._columns = {table: frozenset(names) for table, names in columns.items()}
        odoo = self._odoo()
        if odoo is None or not queries.covers(self._columns, queries.LEDGER):
            return Books(self._now, odoo)
        anchors = Anchors(before.get("figures") or {}) if before else None
        ledger = Ledger(
            posted=self._posted(),
            balance=judge(Sums(*row) for row in self._stream(queries.SUMS)),
            trials=trial.trials(trial.Account(*row) for row in self._stream(queries.ACCOUNTS)),
            numbering=self._numbering(),
            secured=self._secured(anchors),
        )
        return Books(self._now, odoo, ledger, anchors)

    def _odoo(self) -> Odoo | None:
        if not queries.covers(self._columns, queries.ODOO):
            return None
        versions, pending, digest, count = {}, 0, hashlib.sha256(), 0
        for name, state, version in self._stream(queries.MODULES):
            pending += state in _PENDING
            if state != "to install":
                count += 1
                versions[name] = version
                digest.update(f"{name}={version}\n".encode(errors="replace"))
        if "base" not in versions:
            return None
        base = _VERSION.fullmatch(versions["base"])
        parameters = queries.covers(self._columns, {"ir_config_parameter": {"key", "value"}})
        return Odoo(
            series=base[1] if base else UNKNOWN,
            base=base[0] if base else UNKNOWN,
            modules=count,
            modules_digest=digest.hexdigest(),
            pending=pending,
            neutralised=bool(self._one(queries.NEUTRALISED)[0]) if parameters else None,
            identity=self._identity() if parameters else None,
            accounting="account" in versions,
            companies=self._one(queries.COMPANIES)[0] if self._columns.get("res_company") else None,
        )

    def _identity(self) -> str | None:
        row = self._connection.execute(queries.IDENTITY).fetchone()
        return identity(str(row[0])) if row else None

    def _posted(self) -> Posted:
        rows = self._connection.execute(queries.POSTED, [self._now + AHEAD]).fetchall()
        highest, dates, created, written = ([row[at] for row in rows if row[at] is not None] for at in (2, 3, 4, 5))
        return Posted(
            by_company={str(row[0] or 0): row[1] for row in rows},
            highest_id=max(highest, default=None),
            newest_created=max(created, default=None),
            newest_written=max(written, default=None),
            newest_date=max(dates, default=None),
            future=sum(row[6] for row in rows),
            without_items=self._one(queries.WITHOUT_ITEMS)[0],
        )

    def _numbering(self) -> Numbering:
        found = [numbering.Sequence(*row) for row in self._stream(queries.numbers(queries.SEQUENCES, self._columns))]
        question = queries.numbers(queries.NUMBERS, self._columns)
        holes = []
        for each in [each for each in found if each.missing][: 4 * FEW]:
            with closing(self._stream(question, [each.journal, each.prefix])) as rows:
                found_holes = numbering.holes(row[0] for row in rows)
                holes.append((each, list(itertools.islice(found_holes, FEW))))
        twice = [row[0] for row in self._stream(queries.DUPLICATES)]
        return Numbering(found, holes, len(twice), twice[:FEW])

    def _secured(self, anchors: Anchors | None) -> Secured | None:
        if "inalterable_hash" not in self._columns["account_move"]:
            return None
        entries = self._entries()
        chains = list(chain.verify(anchors.listen(entries) if anchors else entries))
        unsecured, dropped = 0, Seen()
        if "restrict_mode_hash_table" in self._columns["account_journal"]:
            for entry, after in self._stream(queries.UNSECURED):
                unsecured += 1
                if after:
                    dropped.add(entry)
        return Secured(chains, unsecured, dropped.count, dropped.first)

    def _entries(self) -> Iterator[chain.Entry]:
        """With their lines, a chunk of entries at a time."""
        rows = self._stream(queries.entries(self._columns))
        while chunk := list(itertools.islice(rows, CHUNK)):
            lines: dict[int, list[chain.Line]] = {row[0]: [] for row in chunk}
            for move, *line in self._connection.execute(queries.LINES, [list(lines)]):
                lines[move].append(chain.Line(*line))
            for row in chunk:
                yield chain.Entry(*[*row, tuple(lines[row[0]])])

    def _stream(self, query: bytes, parameters: Iterable[Any] = ()) -> Generator[tuple[Any, ...], None, None]:
        """Rows as the server finds them, through a cursor there."""
        with self._connection.cursor(f"closewatch_{next(_names)}") as cursor:
            cursor.execute(query, list(parameters))
            while rows := cursor.fetchmany(CHUNK):
                self._pause()
                yield from rows

    def _one(self, query: bytes) -> tuple[Any, ...]:
        self._pause()
        row = self._connection.execute(query).fetchone()
        assert row is not None
        return row


_names = itertools.count(1)
