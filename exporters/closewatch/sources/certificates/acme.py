"""Traefik's `acme.json`: the certificates that it got, by resolver and domain. The keys beside them are dropped unread.

Since Traefik 2 the file is a mapping of resolvers, `{"letsencrypt": {"Account": ..., "Certificates": [...]}}`; version
1 had no resolvers. It is written in place, so a reader can meet half of it: it is read once more then.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from closewatch.sources.certificates.facts import Bundle
from closewatch.sources.certificates.parse import parse
from closewatch.sources.certificates.places import Found
from closewatch.sources.certificates.read import State, content, state_of
from closewatch.sources.certificates.words import Fault, Unreadable

MAX_BYTES = 32 * 2**20
MAX_ENTRIES = 20_000
AGAIN = 0.1
"""Seconds until a file that is cut off is read again: a write in place takes less."""
_DROPPED = frozenset({"key", "Account"})


class AcmeFile:
    """One `acme.json`, read again when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state: State | None = None
        self._found: list[Found] = []

    def read(self) -> list[Found]:
        """A place for each certificate; one for the file, with the reason, where it can't be read."""
        try:
            state = state_of(self._path)
            if state != self._state:
                self._found, self._state = self._content(), state
        except Unreadable as failure:
            self._state = None
            return [Found("acme", str(self._path), failure=failure.reason)]
        return self._found

    def _content(self) -> list[Found]:
        for attempt in range(2):
            data, _ = content(self._path, MAX_BYTES)
            if not data.strip():
                raise Unreadable(Fault.EMPTY)
            try:
                document = json.loads(data, object_pairs_hook=_without_keys)
            except (ValueError, RecursionError):
                if attempt == 0:
                    time.sleep(AGAIN)
                    continue
                raise Unreadable(Fault.TRUNCATED if data.lstrip()[:1] == b"{" else Fault.UNKNOWN_KIND) from None
            return list(_entries(document)) or [Found("acme", str(self._path), failure=Fault.NO_CERTIFICATE)]
        raise AssertionError


def _without_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in pairs if key not in _DROPPED}


def _entries(document: Any) -> Iterator[Found]:
    if not isinstance(document, dict):
        raise Unreadable(Fault.UNKNOWN_KIND)
    resolvers = {"": document} if "Certificates" in document else document
    count = 0
    for resolver, held in resolvers.items():
        certificates = held.get("Certificates") if isinstance(held, dict) else None
        for entry in certificates if isinstance(certificates, list) else ():
            count += 1
            if count > MAX_ENTRIES:
                raise Unreadable(Fault.TOO_MANY_CERTIFICATES)
            yield _entry(resolver, entry)


def _entry(resolver: str, entry: Any) -> Found:
    domain = entry.get("domain") if isinstance(entry, dict) else None
    main = domain.get("main") if isinstance(domain, dict) else None
    name = f"{resolver}/{main}" if resolver else str(main)
    text = entry.get("certificate") if isinstance(entry, dict) else None
    if not text or not isinstance(text, str):
        return Found("acme", name, failure=Fault.NO_CERTIFICATE)  # the order failed
    try:
        return Found("acme", name, Bundle.of(parse(base64.b64decode(text, validate=True))))
    except binascii.Error:
        return Found("acme", name, failure=Fault.MALFORMED)
    except Unreadable as failure:
        return Found("acme", name, failure=failure.reason)
