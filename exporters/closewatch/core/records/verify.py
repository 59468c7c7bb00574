"""Is a chain whole, and unchanged? Pure: needs the records, and no running closewatch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from closewatch.core.records.canonical import canonical
from closewatch.core.records.record import FIRST, SCHEMA, Chain, Record, payload_digest, seconds

_KEYS = ("check", "kind", "target", "start", "end", "result", "salt", "payload", "previous", "sequence")
_RESULTS = {"passed", "failed", "unknown"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the record at a place of a chain."""

    sequence: int
    words: str


def faults(chain: Chain, records: Iterable[Record]) -> Iterator[Fault]:
    """What is wrong, in the order of the chain; nothing for a chain that is whole."""
    expected, previous, ended = 1, FIRST, 0.0
    for record in records:
        header = _header(record)
        if header is None:
            yield Fault(expected, "the header is not the JSON of a record")
        else:
            yield from (Fault(expected, words) for words in _of_header(chain, record, header, expected, previous))
            if (start := _time(header, "start")) < ended:
                yield Fault(expected, "it began before the record before it ended")
            ended = max(ended, _time(header, "end"), start)
            expected = header["sequence"]
        previous, expected = record.hash, expected + 1


def _header(record: Record) -> dict[str, Any] | None:
    try:
        header = json.loads(record.header_text)
        fits = isinstance(header, dict) and all(key in header for key in _KEYS) and type(header["sequence"]) is int
        return header if fits and canonical(header) == record.header_text else None
    except (ValueError, TypeError, RecursionError):
        return None


def _of_header(chain: Chain, record: Record, header: dict[str, Any], expected: int, previous: str) -> Iterator[str]:
    if header.get("schema") != SCHEMA:
        yield f"its format {header.get('schema')!r} is not known"
    if (header["check"], header["kind"], header["target"]) != (chain.check, chain.kind, chain.target):
        yield "it belongs to another chain"
    if header["sequence"] != expected:
        yield f"its number is {header['sequence']}: records are missing, or twice there"
    if header["previous"] != previous:
        yield "it does not follow the record before it: one was changed, removed or put in"
    if header["result"] not in _RESULTS or (header["result"] == "passed") == ("reason" in header):
        yield "its result and reason don't go together"
    if record.payload_text is not None and _digest(header, record.payload_text) != header["payload"]:
        yield "its payload was changed"


def _digest(header: dict[str, Any], payload_text: str) -> str:
    try:
        return payload_digest(str(header["salt"]), payload_text)
    except ValueError:
        return ""


def _time(header: dict[str, Any], name: str) -> float:
    try:
        return seconds(str(header[name]))
    except (ValueError, TypeError):
        return float("inf")
