"""A ledger as rows, secured by a writer of hashes that shares nothing with the code under test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from closewatch.books.chain import Entry, Line

SHORT = {'"': '"', "\\": "\\", "\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}
PLACES = {"EUR": 2, "JPY": 0, "TND": 3, "ONE": 1}


@dataclass
class Row:
    """A posted entry, as in account_move with its lines."""

    id: int
    number: int
    date: str = "2026-06-03"
    journal: int = 16
    company: int = 1
    prefix: str = "HINV/2026/"
    secured: int | None = None
    version: int = 4
    hash: str | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)
    name: str | None = None

    def __post_init__(self) -> None:
        self.name = self.name or f"{self.prefix}{self.number:05d}"


def line(id: int, debit: str, credit: str = "0.00", **more: Any) -> dict[str, Any]:
    """A line; company amounts as text."""
    plain = {"account": 11, "partner": 15, "name": 'Café 東京 😀 "x"\\', "currency": "EUR"}
    return {"id": id, "debit": Decimal(debit), "credit": Decimal(credit), **plain, **more}


def ledger(count: int = 5, **more: Any) -> list[Row]:
    """Entries of three lines: one in euro, one in yen, and a note."""
    rows = []
    for number in range(1, count + 1):
        first = number * 10
        lines = [
            line(first, "100.09"),
            line(first + 1, "0.00", "100.09", partner=None, name=None),
            line(first + 2, "2.51", currency="JPY"),
            line(first + 3, "0.00", account=None, partner=None, name="note"),
        ]
        rows.append(Row(48 + number, number, lines=lines, **more))
    return rows


def secure(rows: list[Row], before: str = "") -> list[Row]:
    """Write the hashes, each in its row's version."""
    for row in rows:
        hexadecimal = hashlib.sha256(f"{before}{written(row)}".encode()).hexdigest()
        row.hash = f"$4${hexadecimal}" if row.version == 4 else hexadecimal
        before = hexadecimal
    return rows


def written(row: Row) -> str:
    """The text of an entry, letter by letter."""
    pairs = {"date": row.date, "journal_id": str(row.journal), "company_id": str(row.company)}
    if row.version > 1:
        pairs["name"] = row.name or "False"
    for each in row.lines:
        start = f"line_{each['id']}_"
        for side in ("debit", "credit"):
            pairs[start + side] = _money(each[side], PLACES[each["currency"]], row.version)
        pairs[start + "account_id"] = str(each["account"] or False)
        pairs[start + "partner_id"] = str(each["partner"] or False)
        if row.version > 1:
            pairs[start + "name"] = each["name"] or "False"
    return "{" + ",".join(f"{_quoted(key)}:{_quoted(pairs[key])}" for key in sorted(pairs)) + "}"


def _money(amount: Decimal, places: int, version: int) -> str:
    if version < 3:
        return repr(float(amount))
    # From the float's exact value, as C's printf does.
    return str(Decimal(float(amount)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN))


def _quoted(text: str) -> str:
    letters = []
    for each in text:
        if each in SHORT:
            letters.append("\\" + SHORT[each])
        elif " " <= each <= "~":
            letters.append(each)
        else:
            units = each.encode("utf-16-be")
            letters += [f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)]
    return '"' + "".join(letters) + '"'


def entries(rows: list[Row]) -> list[Entry]:
    """As they are read: those with a hash."""
    return [
        Entry(
            row.id, row.journal, row.company, row.prefix, row.number, row.secured, row.date, row.name, row.hash,
            tuple(
                Line(
                    each["id"], float(each["debit"]), float(each["credit"]), each["account"], each["partner"],
                    each["name"], PLACES[each["currency"]],
                )
                for each in row.lines
            ),
        )
        for row in rows
        if row.hash
    ]  # fmt: skip
