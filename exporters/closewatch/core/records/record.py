"""One record: a header, which proves and stays, and a payload, which may expire."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from closewatch.core.records.canonical import canonical

SCHEMA = 1
FIRST = "0" * 64
"""What the first record of a chain names as the one before it."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What a chain is of."""

    check: str
    kind: str
    target: str

    def __str__(self) -> str:
        return f"{self.check} of {self.kind} {self.target}"


@dataclass(frozen=True)
class Record:
    """A record as it is stored: the canonical texts. `payload_text` is None where it has expired."""

    header_text: str
    payload_text: str | None

    @cached_property
    def header(self) -> Mapping[str, Any]:
        """The header's keys, as docs/decisions/0001 lists them."""
        found: Mapping[str, Any] = json.loads(self.header_text)
        return found

    @cached_property
    def payload(self) -> Mapping[str, Any]:
        """What was found; empty where it has expired."""
        found: Mapping[str, Any] = json.loads(self.payload_text) if self.payload_text is not None else {}
        return found

    @property
    def whole(self) -> bool:
        """Whether it can be read at all: whoever holds the store may have put in anything."""
        try:
            types = (self.sequence > 0, isinstance(self.header["result"], str), isinstance(self.payload, dict))
            return all(types) and self.start <= float("inf") and self.end <= float("inf")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return False

    @property
    def hash(self) -> str:
        """What the next record names."""
        return digest(self.header_text)

    @property
    def sequence(self) -> int:
        """Its place in the chain, from 1."""
        return int(self.header["sequence"])

    @property
    def result(self) -> str:
        """passed, failed or unknown."""
        return str(self.header["result"])

    @property
    def reason(self) -> str | None:
        """Why it did not pass."""
        found: str | None = self.header.get("reason")
        return found

    @property
    def start(self) -> float:
        """When the check began, in Unix seconds."""
        return seconds(self.header["start"])

    @property
    def end(self) -> float:
        """When it ended, in Unix seconds."""
        return seconds(self.header["end"])


def make(about: Mapping[str, Any], payload: Mapping[str, Any], before: Record | None) -> Record:
    """The record that follows another. `about` are the header's keys but those of the chain. Raises ValueError."""
    payload_text = canonical(dict(payload))
    salt = secrets.token_hex(16)
    header = {
        "schema": SCHEMA,
        **{name: value for name, value in about.items() if value is not None},
        "sequence": 1 if before is None else before.sequence + 1,
        "salt": salt,
        "payload": payload_digest(salt, payload_text),
        "previous": FIRST if before is None else before.hash,
    }
    return Record(canonical(header), payload_text)


def digest(text: str) -> str:
    """SHA-256 of a text's UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def payload_digest(salt: str, payload_text: str) -> str:
    """Salted, so that a short payload can't be guessed once it has expired."""
    return hashlib.sha256(bytes.fromhex(salt) + payload_text.encode()).hexdigest()


def seconds(text: str) -> float:
    """Unix seconds of a header's time (RFC 3339, UTC)."""
    return dt.datetime.fromisoformat(text).timestamp()


def timestamp(at: float) -> str:
    """A header's time: RFC 3339, UTC, microseconds."""
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
