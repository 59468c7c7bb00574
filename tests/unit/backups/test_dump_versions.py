"""The versions of pg_dump's archive, written here as its source writes them: of servers that aren't at hand too."""

from __future__ import annotations

import pytest

from closewatch.backups.found import Fault, Type
from tests.unit.backups.reading import look

DATA = b"some rows, compressed or not" * 20


def number(value: int) -> bytes:
    return bytes([value < 0]) + abs(value).to_bytes(4, "little")


def text(value: str | None) -> bytes:
    return number(-1) if value is None else number(len(value)) + value.encode()


def entry(minor: int, state: int, place: int) -> bytes:
    """One line of the table of contents; its data at `place`."""
    parts = [number(7), number(1), text("1259"), text("16384"), text("move"), text("TABLE DATA"), number(3)]
    parts += [text(""), text(""), text("COPY public.move FROM stdin;\n"), text("public"), text("")]
    parts += [text("heap")] if minor >= 14 else []
    parts += [number(ord("r"))] if minor >= 16 else []
    parts += [text("odoo"), text("false"), text("215"), text(None)]
    return b"".join(parts) + bytes([state]) + place.to_bytes(8, "little")


def archive(minor: int, state: int = 2) -> bytes:
    """A custom archive of one table, dumped on 22 November 2026 at 03:00:05."""
    head = b"PGDMP" + bytes([1, minor, 0, 4, 8, 1]) + (b"\x01" if minor >= 15 else number(-1))
    head += b"".join(number(part) for part in (5, 0, 3, 22, 10, 126, 0))
    head += text("odoo_acme") + text("16.4") + text("16.4") + number(1)
    place = len(head) + len(entry(minor, state, 0))
    block = b"\x01" + number(7) + number(len(DATA)) + DATA + number(0)
    return head + entry(minor, state, place) + block


@pytest.mark.parametrize("minor", [12, 13, 14, 15, 16])
def test_each_version_that_is_known(minor: int):
    found = look(archive(minor))
    assert (found.type, found.whole, found.fault) == (Type.DUMP, True, None)
    assert found.begun == 1795316405 + 12 * 3600


@pytest.mark.parametrize("minor", [12, 13, 14, 15, 16])
def test_cut_at_each_length(minor: int):
    data = archive(minor)
    for length in range(1, len(data)):
        assert look(data[:length]).fault is Fault.TRUNCATED, length


@pytest.mark.parametrize("minor", [11, 17, 99])
def test_another_version_is_said(minor: int):
    assert look(archive(minor)).fault is Fault.UNSUPPORTED_VERSION


def test_without_places_it_is_not_known_whether_it_is_whole():
    assert look(archive(16, state=1)).whole is None
    assert look(archive(16, state=1)[:-1]).fault is Fault.TRUNCATED


def test_a_table_of_contents_that_is_too_long_says_no_more_than_what_it_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("closewatch.backups.dump.SIZES", (80,))
    found = look(archive(16))
    assert (found.type, found.whole, found.fault) == (Type.DUMP, None, None)
