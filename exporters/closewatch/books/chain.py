"""The hash chain of Odoo's journals: can any posted entry have been changed since it was secured?

Each secured entry stores a SHA-256 over the hash before it and a text of its own fields and those of its lines. What
goes into the text has a version: 1 and 2 print amounts as Python prints floats, 3 and 4 with the decimal places of the
line's own currency; 4 stores `$4$` before the hash, the others don't say which they are.

What it can't see: a balance or an amount in foreign currency (they are not in the text), less than the currency's
smallest unit, and the end of a chain cut off. For the last, keep `Chain.head` outside the database.

Source: account.move of Odoo 15 to 19; tried on the hashes that 15 and 18 had stored.
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

NEWEST = 4
UNMARKED = (1, 2, 3)
"""Versions whose stored hash doesn't say which it is of. Odoo never went back to an older one within a journal."""
_NAMED = 2
_FIXED = 3
_MOST = 30
"""Decimal places: a table may hold any number."""
_MARKED = re.compile(r"\$([0-9]{1,3})\$(.*)", re.DOTALL)
NOTHING = "False"
"""How Odoo prints what is not set."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an entry; `decimals` are those of the line's own currency, not of the company's."""

    id: int
    debit: float | None
    credit: float | None
    account: int | None
    partner: int | None
    name: str | None
    decimals: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A secured entry with all its lines, sections and notes among them. `date` is YYYY-MM-DD.

    `secured` is its number in the journal's own counter (up to Odoo 17); None or 0 where the prefix has the chain.
    """

    id: int
    journal: int
    company: int | None
    prefix: str
    number: int
    secured: int | None
    date: str | None
    name: str | None
    hash: str
    lines: tuple[Line, ...] = ()

    @property
    def chain(self) -> tuple[int, str | None]:
        """The journal, and the prefix where each prefix is a chain of its own."""
        return self.journal, None if self.secured else self.prefix

    @property
    def place(self) -> int:
        """Its number within its chain."""
        return self.secured or self.number


def text(entry: Entry, version: int) -> str:
    """What is hashed of an entry, beside the hash before it."""
    values: dict[str, object] = {"date": entry.date, "journal_id": entry.journal, "company_id": entry.company}
    if version >= _NAMED:
        values["name"] = entry.name
    for line in entry.lines:
        key = f"line_{line.id}_"
        values[key + "debit"] = _amount(line.debit, line.decimals, version)
        values[key + "credit"] = _amount(line.credit, line.decimals, version)
        values[key + "account_id"] = line.account
        values[key + "partner_id"] = line.partner
        if version >= _NAMED:
            values[key + "name"] = line.name
    flat = {key: NOTHING if value is None else str(value) for key, value in values.items()}
    return json.dumps(flat, sort_keys=True, ensure_ascii=True, indent=None, separators=(",", ":"))


def _amount(value: float | None, decimals: int, version: int) -> str:
    number = float(value or 0.0)
    return f"{number:.{min(max(0, decimals), _MOST)}f}" if version >= _FIXED else str(number)


def computed(entry: Entry, version: int, before: str) -> str:
    """The hash that the entry should have, in hex; `before` is the stored hash before it, or empty."""
    return hashlib.sha256((split(before)[1] + text(entry, version)).encode()).hexdigest()


def split(stored: str) -> tuple[int | None, str]:
    """The version that a stored hash says, if it does, and its hex."""
    found = _MARKED.fullmatch(stored)
    return (int(found[1]), found[2]) if found else (None, stored)


class Match(enum.Enum):
    """What came of one entry."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"
    """Of a version that is newer than this module."""


@dataclass(slots=True)
class Chain:
    """One chain. `prefix` is None where it is the journal's own counter, over all its prefixes.

    After the first bad entry nothing can be said of the rest: they are `skipped`.
    """

    journal: int
    prefix: str | None
    verified: int = 0
    bad: int | None = None
    """Id of the first entry whose hash is another."""
    skipped: int = 0
    unknown: int = 0
    head: Entry | None = None
    """The last entry, without its lines."""

    @property
    def entries(self) -> int:
        """All that have a hash."""
        return self.verified + self.skipped + self.unknown + (self.bad is not None)


@dataclass(slots=True)
class _Journal:
    """What goes from one chain of a journal to the next."""

    version: int = UNMARKED[0]
    last: dict[str, str] = field(default_factory=dict)
    """Of each prefix, the last hash stored under it: where its own chain continues the journal's."""


def verify(entries: Iterable[Entry]) -> Iterator[Chain]:
    """Go along entries in the order journal, `secured` (those without last), prefix, number; a chain when it is done.

    Only entries that have a hash take part. Nothing is kept but the chain at hand and the last hash of each prefix.
    """
    journal, chain, before = _Journal(), None, ""
    for entry in entries:
        if chain is None or chain.journal != entry.journal:
            journal = _Journal()
        if chain is None or (chain.journal, chain.prefix) != entry.chain:
            if chain is not None:
                yield _done(chain)
            chain = Chain(*entry.chain)
            before = "" if entry.secured else journal.last.get(entry.prefix, "")
        _add(chain, entry, before, journal)
        before = journal.last[entry.prefix] = entry.hash
    if chain is not None:
        yield _done(chain)


def _done(chain: Chain) -> Chain:
    if chain.head is not None:
        chain.head = replace(chain.head, lines=())
    return chain


def _add(chain: Chain, entry: Entry, before: str, journal: _Journal) -> None:
    chain.head = entry
    if chain.bad is not None:
        chain.skipped += 1
        return
    found = _match(entry, before, journal)
    if found is Match.GOOD:
        chain.verified += 1
    elif found is Match.UNKNOWN:
        chain.unknown += 1
    else:
        chain.bad = entry.id


def _match(entry: Entry, before: str, journal: _Journal) -> Match:
    """Versions are tried upwards, as two of them may print the same text: the lower leaves more to what follows."""
    version, stored = split(entry.hash)
    if version is not None and version > NEWEST:
        return Match.UNKNOWN
    for each in UNMARKED[journal.version - 1 :] if version is None else (version,):
        if computed(entry, each, before) == stored:
            if version is None:
                journal.version = each
            return Match.GOOD
    return Match.BAD
