"""A small ledger of Odoo 18 as a script of SQL: balanced, numbered with one gap, secured with right hashes.

For drills and tests, which must know what is in a database. The same arguments give the same text, which runs on an
empty database of any supported PostgreSQL, through psql or as one query. `entry` adds one posted entry more, as a load
of writes whose newest is known.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from closewatch.books.chain import Entry, Line, computed
from closewatch.books.sample_tables import INDEXES, TABLES

START = dt.date(2026, 1, 1)
SPREAD = 300 * 86400
"""Seconds over which the entries are spread, so that a year's numbering begins with a year."""
GAP_JOURNAL, GAP = 2, 3
"""The journal in which a number is missing, and which."""
FIRST_ADDED = 1_000_000_000
"""`entry` numbers its rows from here."""
LOAD_JOURNAL = 5
USD, JPY, EUR = 1, 25, 125
_CURRENCIES = {USD: ("USD", "$", 2), JPY: ("JPY", "¥", 0), EUR: ("EUR", "€", 2)}
_COMPANIES = {1: EUR, 2: USD}
_BATCH = 500


@dataclass(frozen=True)
class _Journal:
    id: int
    company: int
    code: str
    type: str
    secured: bool


_JOURNALS = (
    _Journal(1, 1, "HINV", "sale", secured=True),
    _Journal(2, 1, "BNK1", "bank", secured=False),
    _Journal(3, 2, "HINV", "sale", secured=True),
    _Journal(4, 2, "MISC", "general", secured=False),
)
_LOAD = _Journal(LOAD_JOURNAL, 1, "LOAD", "general", secured=False)
# By company: what is debited, what is credited, tax.
_ACCOUNTS = {1: (11, 12, 13), 2: (21, 22, 23)}
_KINDS = ("asset_receivable", "income", "liability_current")
_NAMES = ("Services", "Café · conseil", None, "保守契約", "Licence 😀 “A”")


def sample(
    entries: int = 200, attachments: Sequence[tuple[str, int]] = (), start: dt.date = START, name: str = "Sample"
) -> str:
    """The script. `attachments` are (store_fname, size); another `name` is another database to Odoo."""
    moves = list(_moves(entries, start))
    lines = [line for move in moves for line in move["lines"]]
    rows = [{key: value for key, value in move.items() if key != "lines"} for move in moves]
    born = dt.datetime.combine(start, dt.time())
    parts = ["BEGIN;", "SET LOCAL search_path = public;", TABLES.strip()]
    for table, content in (
        *_masters(name, born),
        ("account_move", rows),
        ("account_move_line", lines),
        ("ir_attachment", [_attachment(each, *file, born) for each, file in enumerate(attachments, 1)]),
    ):
        parts += _inserts(table, content)
    return "\n".join([*parts, INDEXES.strip(), "COMMIT;", ""])


def entry(number: int, at: dt.datetime | None = None) -> str:
    """One statement that adds a posted, balanced entry of 10 + number % 90: `number` once, from 1 on.

    It is of an unsecured journal, its id is FIRST_ADDED + number. `at` is UTC; without it, the server's time counts.
    """
    move, amount = FIRST_ADDED + number, Decimal(10 + number % 90)
    when = f"timestamp '{at.replace(tzinfo=None).isoformat(sep=' ')}'" if at else "(now() AT TIME ZONE 'UTC')"
    debited, credited, _ = _ACCOUNTS[_LOAD.company]
    name = f"{_LOAD.code}/{number:06d}"
    return f"""
WITH moment AS (SELECT {when} AS at), entry AS (
  INSERT INTO public.account_move (id, sequence_number, journal_id, company_id, currency_id, sequence_prefix, name,
    state, move_type, auto_post, payment_state, date, posted_before, create_date, write_date)
  SELECT {move}, {number}, {_LOAD.id}, {_LOAD.company}, {EUR}, '{_LOAD.code}/', '{name}', 'posted', 'entry', 'no',
         'not_paid', at::date, true, at, at
    FROM moment RETURNING id, date, create_date)
INSERT INTO public.account_move_line (id, move_id, journal_id, company_id, company_currency_id, account_id,
  currency_id, move_name, parent_state, name, display_type, date, debit, credit, balance, amount_currency,
  create_date, write_date)
SELECT {FIRST_ADDED + 2 * number} + side, id, {_LOAD.id}, {_LOAD.company}, {EUR}, account, {EUR}, '{name}', 'posted',
       'load', 'product', date, debit, {amount} - debit, 2 * debit - {amount}, 2 * debit - {amount}, create_date,
       create_date
  FROM entry CROSS JOIN (VALUES (0, {debited}, {amount}), (1, {credited}, 0)) AS line (side, account, debit);
""".strip()  # noqa: S608 - numbers and our own words only


def _moves(count: int, start: dt.date) -> Iterator[dict[str, Any]]:
    numbers: dict[tuple[int, int], int] = {}
    hashes: dict[tuple[int, str], str] = {}
    line = 1
    for index in range(count):
        journal = _JOURNALS[index % len(_JOURNALS)]
        at = dt.datetime.combine(start, dt.time()) + dt.timedelta(seconds=index * SPREAD // count)
        number = numbers.get((journal.id, at.year), 0) + 1
        gap = (journal.id, number) == (GAP_JOURNAL, GAP)
        number += gap
        numbers[journal.id, at.year] = number
        prefix = f"{journal.code}/{at.year}/"
        lines = _lines(index, line, journal, f"{prefix}{number:05d}", at)
        line += len(lines)
        move = _move(index, journal, prefix, number, at) | {"made_sequence_gap": gap, "lines": lines}
        if journal.secured:
            before = hashes.get((journal.id, prefix), "")
            move["inalterable_hash"] = hashes[journal.id, prefix] = "$4$" + computed(_entry(move), 4, before)
        yield move


def _move(index: int, journal: _Journal, prefix: str, number: int, at: dt.datetime) -> dict[str, Any]:
    return {
        "id": index + 1,
        "sequence_number": number,
        "journal_id": journal.id,
        "company_id": journal.company,
        "partner_id": None if index % 5 == 0 else 40 + index % 7,
        "currency_id": _currency(index, journal),
        "sequence_prefix": prefix,
        "name": f"{prefix}{number:05d}",
        "state": "posted",
        "move_type": "out_invoice" if journal.type == "sale" else "entry",
        "auto_post": "no",
        "inalterable_hash": None,
        "payment_state": "not_paid",
        "date": at.date(),
        "posted_before": True,
        "create_date": at,
        "write_date": at,
    }


def _currency(index: int, journal: _Journal) -> int:
    return JPY if index % 7 == 0 else _COMPANIES[journal.company]


def _lines(index: int, first: int, journal: _Journal, name: str, at: dt.datetime) -> list[dict[str, Any]]:
    """Gross, net, tax; and a section's title in some, which has no account and no amount."""
    net = Decimal(100 + index * 37 % 9973) / 100
    tax = (net / 5).quantize(Decimal("0.01"))
    amounts: list[tuple[str, Decimal]] = [("payment_term", net + tax), ("product", -net), ("tax", -tax)]
    if index % 11 == 0:
        amounts.append(("line_section", Decimal("0.00")))
    own, currency = _COMPANIES[journal.company], _currency(index, journal)
    found = []
    for side, (kind, balance) in enumerate(amounts):
        foreign = balance if currency == own else (balance * 160).quantize(Decimal(1))
        found.append(
            {
                "id": first + side,
                "move_id": index + 1,
                "journal_id": journal.id,
                "company_id": journal.company,
                "company_currency_id": own,
                "account_id": None if kind == "line_section" else _ACCOUNTS[journal.company][side],
                "currency_id": currency,
                "partner_id": None if index % 5 == 0 else 40 + index % 7,
                "move_name": name,
                "parent_state": "posted",
                "name": "Section" if kind == "line_section" else _NAMES[(index + side) % len(_NAMES)],
                "display_type": kind,
                "date": at.date(),
                "debit": max(balance, Decimal("0.00")),
                "credit": max(-balance, Decimal("0.00")),
                "balance": balance,
                "amount_currency": foreign,
                "create_date": at,
                "write_date": at,
            }
        )
    return found


def _entry(move: Mapping[str, Any]) -> Entry:
    lines = tuple(
        Line(
            line["id"], float(line["debit"]), float(line["credit"]), line["account_id"], line["partner_id"],
            line["name"], _CURRENCIES[line["currency_id"]][2],
        )
        for line in move["lines"]
    )  # fmt: skip
    return Entry(
        move["id"], move["journal_id"], move["company_id"], move["sequence_prefix"], move["sequence_number"], None,
        move["date"].isoformat(), move["name"], "", lines,
    )  # fmt: skip


def _masters(name: str, born: dt.datetime) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    stamps = {"create_date": born, "write_date": born}
    yield (
        "res_currency",
        [
            {"id": each, "name": code, "symbol": sign, "decimal_places": places, "rounding": Decimal(1).scaleb(-places)}
            | {"active": True}
            for each, (code, sign, places) in _CURRENCIES.items()
        ],
    )
    yield (
        "res_company",
        [
            {"id": each, "name": f"{name} {each}", "currency_id": currency, "active": True} | stamps
            for each, currency in _COMPANIES.items()
        ],
    )
    yield (
        "account_journal",
        [
            {"id": journal.id, "company_id": journal.company, "code": journal.code, "type": journal.type}
            | {
                "name": f'{{"en_US": "{journal.code}"}}',
                "active": True,
                "restrict_mode_hash_table": journal.secured or None,
            }
            for journal in (*_JOURNALS, _LOAD)
        ],
    )
    yield (
        "account_account",
        [
            {
                "id": each,
                "account_type": kind,
                "name": f'{{"en_US": "{kind}"}}',
                "code_store": f'{{"{company}": "{each}000"}}',
            }
            for company, ids in _ACCOUNTS.items()
            for each, kind in zip(ids, _KINDS, strict=True)
        ],
    )
    yield from _system(name, stamps)


def _system(name: str, stamps: Mapping[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    modules = (("base", "18.0.1.3"), ("web", "18.0.1.0"), ("mail", "18.0.1.15"), ("account", "18.0.1.3"))
    yield (
        "ir_module_module",
        [
            {"id": each, "name": module, "state": "installed", "latest_version": version}
            for each, (module, version) in enumerate(modules, 1)
        ]
        + [{"id": len(modules) + 1, "name": "crm", "state": "uninstalled", "latest_version": None}],
    )
    identity = uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.example.com")
    yield "ir_config_parameter", [{"id": 1, "key": "database.uuid", "value": str(identity), **stamps}]


def _attachment(id: int, file: str, size: int, born: dt.datetime) -> dict[str, Any]:
    return {
        "id": id,
        "name": f"file {id}",
        "type": "binary",
        "store_fname": file,
        "checksum": file.rpartition("/")[2][:40],
        "file_size": size,
        "mimetype": "application/octet-stream",
        "create_date": born,
        "write_date": born,
    }


def _inserts(table: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for first in range(0, len(rows), _BATCH):
        batch = rows[first : first + _BATCH]
        values = ",\n".join(_row(row.values()) for row in batch)
        yield f"INSERT INTO {table} ({', '.join(batch[0])}) VALUES\n{values};"


def _row(values: Iterable[object]) -> str:
    return "(" + ", ".join(_literal(value) for value in values) + ")"


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"
