"""A chain of records: whole as it was written, and every change to it is told with its place."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from closewatch.core.records import Chain, Record
from closewatch.core.records.canonical import canonical
from closewatch.core.records.record import make, timestamp
from closewatch.core.records.verify import Fault, faults

CHAIN = Chain("restore", "restores", "acme")


def about(at: float, **more: object) -> dict[str, object]:
    """A header's own keys."""
    names = {"check": "restore", "check_version": 1, "kind": "restores", "target": "acme", "environment": "production"}
    return {**names, "start": timestamp(at), "end": timestamp(at + 10), "result": "passed", "reason": None, **more}


def chain(length: int) -> list[Record]:
    """So many records, a minute apart."""
    found: list[Record] = []
    for number in range(length):
        found.append(make(about(60.0 * number), {"number": number}, found[-1] if found else None))
    return found


def header(record: Record, **changes: object) -> Record:
    """The record with other keys in its header, written as carefully as a forger would."""
    return Record(canonical({**json.loads(record.header_text), **changes}), record.payload_text)


def test_what_was_written_is_whole():
    assert list(faults(CHAIN, chain(5))) == []
    assert list(faults(CHAIN, [])) == []


def test_a_payload_that_expired_breaks_nothing():
    records = [Record(record.header_text, None) for record in chain(3)]
    assert list(faults(CHAIN, records)) == []
    assert records[0].payload == {}


FORGERIES: dict[str, tuple[Callable[[list[Record]], list[Record]], Fault]] = {
    "a payload changed": (
        lambda r: [r[0], Record(r[1].header_text, '{"number":7}'), r[2]],
        Fault(2, "its payload was changed"),
    ),
    "a result changed": (
        lambda r: [r[0], header(r[1], result="failed", reason="books"), r[2]],
        Fault(3, "it does not follow the record before it: one was changed, removed or put in"),
    ),
    "one removed": (
        lambda r: [r[0], r[2]],
        Fault(2, "its number is 3: records are missing, or twice there"),
    ),
    "the first removed": (
        lambda r: r[1:],
        Fault(1, "its number is 2: records are missing, or twice there"),
    ),
    "one put in twice": (
        lambda r: [r[0], r[1], r[1], r[2]],
        Fault(3, "its number is 2: records are missing, or twice there"),
    ),
    "another chain's": (
        lambda r: [r[0], header(r[1], target="other"), r[2]],
        Fault(2, "it belongs to another chain"),
    ),
    "spaces put into a header": (
        lambda r: [Record(r[0].header_text.replace(",", ", "), r[0].payload_text), *r[1:]],
        Fault(1, "the header is not the JSON of a record"),
    ),
    "no JSON": (lambda r: [Record("x", None), *r[1:]], Fault(1, "the header is not the JSON of a record")),
    "a reason for what passed": (
        lambda r: [*r[:2], header(r[2], reason="books")],
        Fault(3, "its result and reason don't go together"),
    ),
    "time running backwards": (
        lambda r: [*r[:2], header(r[2], start=timestamp(1.0), end=timestamp(2.0))],
        Fault(3, "it began before the record before it ended"),
    ),
    "a format of tomorrow": (lambda r: [*r[:2], header(r[2], schema=2)], Fault(3, "its format 2 is not known")),
}


@pytest.mark.parametrize(("forge", "fault"), FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_is_found(forge, fault):
    assert next(iter(faults(CHAIN, forge(chain(3))))) == fault


@given(st.integers(1, 8), st.data())
def test_any_character_changed_in_any_header_is_found(length, data):
    records = chain(length)
    at = data.draw(st.integers(0, length - 1))
    text = records[at].header_text
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(exclude_categories=["Cs"]).filter(lambda one: one != text[place]))
    records[at] = Record(text[:place] + other + text[place + 1 :], records[at].payload_text)
    # The newest header alone is proved by nothing but the signed heads: it may be changed to another whole record.
    if at < length - 1:
        assert list(faults(CHAIN, records))


def test_two_equal_payloads_have_two_digests():
    one, two = (make(about(0.0), {"n": 1}, None) for _ in range(2))
    assert one.header["payload"] != two.header["payload"]
