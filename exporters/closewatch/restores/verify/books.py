"""What was found of a restored Odoo database and its books: as a record's payload, and in words where it is wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from closewatch.books import fingerprints
from closewatch.books.balance import FEW, Balance
from closewatch.books.chain import Chain
from closewatch.books.fingerprints import Anchors, short
from closewatch.books.numbering import Sequence as Numbers
from closewatch.books.trial import Trial, plain, together


@dataclass(frozen=True, slots=True)
class Odoo:
    """Which Odoo it is. `identity` is a digest of the database's own id; None where that can't be read."""

    series: str
    base: str
    modules: int
    modules_digest: str
    pending: int
    neutralised: bool | None
    identity: str | None
    accounting: bool
    """Whether the module `account` is installed: then there must be a ledger."""
    companies: int | None


@dataclass(frozen=True, slots=True)
class Posted:
    """The posted entries. Times are UTC, as text; `future` are those created after the moment of the look."""

    by_company: Mapping[str, int]
    highest_id: int | None
    newest_created: str | None
    newest_written: str | None
    newest_date: str | None
    future: int
    without_items: int

    @property
    def count(self) -> int:
        """Of all companies."""
        return sum(self.by_company.values())


@dataclass(frozen=True, slots=True)
class Numbering:
    """The sequences, the newest first; of the newest that have a gap, where. `duplicates` are ids of entries."""

    sequences: Sequence[Numbers]
    holes: Sequence[tuple[Numbers, Sequence[tuple[int, int]]]]
    duplicates: int
    first_duplicates: Sequence[int]


@dataclass(frozen=True, slots=True)
class Secured:
    """The chains of hashes, and entries of secured journals that have none.

    `unsecured` may have been posted before the journal was secured; `dropped` come after a secured one.
    """

    chains: Sequence[Chain]
    unsecured: int
    dropped: int
    first_dropped: Sequence[int]

    @property
    def broken(self) -> Sequence[Chain]:
        """Those with a bad entry."""
        return [chain for chain in self.chains if chain.bad is not None]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The books. `secured` is None where this Odoo has no hashes."""

    posted: Posted
    balance: Balance
    trials: Sequence[Trial]
    numbering: Numbering
    secured: Secured | None

    @property
    def items(self) -> int:
        """Items of posted entries."""
        return sum(each.items for each in self.trials)


@dataclass(frozen=True, slots=True)
class Books:
    """What `look` found. `odoo` is None where it is no Odoo database, `ledger` where that has no accounting."""

    looked: float
    odoo: Odoo | None = None
    ledger: Ledger | None = None
    anchors: Anchors | None = field(default=None, compare=False)

    def payload(self) -> Mapping[str, Any]:
        """As a record keeps it. `figures` are those that a later restore is compared with."""
        moment = dt.datetime.fromtimestamp(int(self.looked), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "looked": moment,
            "odoo": asdict(self.odoo) if self.odoo else None,
            "ledger": _ledger(self.ledger) if self.ledger else None,
            "figures": self.figures(),
        }

    def figures(self) -> dict[str, Any]:
        """What `closewatch.books.fingerprints.compare` reads."""
        if self.odoo is None:
            return {}
        figures: dict[str, Any] = {"identity": self.odoo.identity, "series": self.odoo.series}
        if self.ledger is not None:
            posted = self.ledger.posted
            figures |= {
                "posted": dict(posted.by_company),
                "newest_created": posted.newest_created,
                "newest_written": posted.newest_written,
                "trial": together(self.ledger.trials),
                "heads": fingerprints.heads(self.ledger.secured.chains if self.ledger.secured else ()),
                "highest": fingerprints.highest(self.ledger.numbering.sequences),
            }
        return figures

    def wrong(self) -> list[str]:
        """Why the books are wrong; empty where they are right, or where there are none."""
        if self.ledger is None:
            expected = self.odoo is not None and self.odoo.accounting
            return ["accounting is installed, but its tables are missing or of an unknown form"] if expected else []
        ledger, found = self.ledger, []
        if count := ledger.balance.unbalanced.count:
            found.append(f"{_many(count, 'posted entry does', 'posted entries do')} not balance")
        if count := ledger.balance.drifted.count:
            found.append(f"in {_many(count, 'posted entry', 'posted entries')} a balance is not debit minus credit")
        found += [f"the trial balance of company {each.company} is not zero" for each in ledger.trials if not each.zero]
        if ledger.posted.count and not ledger.items:
            found.append("the posted entries have no items")
        if ledger.secured is not None and ledger.secured.broken:
            count = len(ledger.secured.broken)
            found.append(f"{_many(count, 'chain of hashes is', 'chains of hashes are')} broken")
        if count := ledger.numbering.duplicates:
            found.append(f"{_many(count, 'number is', 'numbers are')} held by several posted entries of one journal")
        return found


def _many(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _ledger(ledger: Ledger) -> dict[str, Any]:
    posted = ledger.posted
    return {
        "posted": {**asdict(posted), "by_company": dict(posted.by_company), "count": posted.count},
        "items": ledger.items,
        "balance": asdict(ledger.balance),
        "trial": [
            {**asdict(each), "difference": plain(each.difference), "balance": plain(each.balance)}
            for each in ledger.trials
        ],
        "numbering": _numbering(ledger.numbering),
        "hash": _secured(ledger.secured) if ledger.secured else None,
    }


def _numbering(numbering: Numbering) -> dict[str, Any]:
    gaps = [each for each in numbering.sequences if each.missing]
    return {
        "sequences": len(numbering.sequences),
        "with_gaps": len(gaps),
        "missing": sum(each.missing for each in gaps),
        "gaps": [
            {
                "journal": each.journal,
                "prefix": short(each.prefix),
                "missing": each.missing,
                "holes": [list(hole) for hole in holes],
            }
            for each, holes in numbering.holes
        ],
        "duplicates": numbering.duplicates,
        "first_duplicates": list(numbering.first_duplicates),
    }


def _secured(secured: Secured) -> dict[str, Any]:
    chains = secured.chains
    return {
        "chains": len(chains),
        "entries": sum(each.entries for each in chains),
        "verified": sum(each.verified for each in chains),
        "skipped": sum(each.skipped for each in chains),
        "unknown_version": sum(each.unknown for each in chains),
        "broken": len(secured.broken),
        "first_bad": [
            {
                "journal": each.journal,
                "prefix": None if each.prefix is None else short(each.prefix),
                "entry": each.bad,
                "verified": each.verified,
                "skipped": each.skipped,
            }
            for each in secured.broken[: 4 * FEW]
        ],
        "unsecured": secured.unsecured,
        "dropped": secured.dropped,
        "first_dropped": list(secured.first_dropped),
    }
