"""Where certificates are, and what was found there: the plain values that go between the parts of this source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from closewatch.core.labels import clean
from closewatch.core.reasons import Reason
from closewatch.sources.address import Address
from closewatch.sources.certificates.facts import Bundle
from closewatch.sources.certificates.words import Fault, Problem

Protocol = Literal["tls", "postgresql", "postgresql_direct", "smtp", "imap"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server to shake hands with. `hosts` are the names that clients use; the first is asked for (SNI)."""

    name: str
    address: Address
    hosts: tuple[str, ...]
    protocol: Protocol = "tls"
    stored: Path | None = None


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """TLS secrets of Kubernetes; namespace None is all of them."""

    namespace: str | None
    labels: str = ""


@dataclass(slots=True)
class Found:
    """What one place gave: a bundle, or the reason why not, or both where a handshake broke off late.

    `problems` are those of an endpoint, beside the bundle's own; `stored` is (fingerprint, written) of its file.
    """

    source: str
    name: str
    bundle: Bundle | None = None
    failure: Fault | Reason | None = None
    problems: frozenset[Problem] = frozenset()
    stored: tuple[str, float] | None = None
    staple_until: float | None = None


@dataclass(slots=True)
class Names:
    """Makes names of places unique within their source: the second of the same name is name#2."""

    _seen: dict[tuple[str, str], int] = field(default_factory=dict)

    def rows(self, places: Iterator[Found], now: float) -> Iterator[dict[str, Any]]:
        """Each place as a row of plain values, for the collectors."""
        for place in places:
            name = clean(place.name)
            key = (place.source, name)
            count = self._seen[key] = self._seen.get(key, 0) + 1
            yield _row(place, name if count == 1 else f"{name}#{count}", now)


def _row(place: Found, name: str, now: float) -> dict[str, Any]:
    row: dict[str, Any] = {
        "source": place.source,
        "certificate": name,
        "failure": place.failure.value if place.failure else None,
        "problems": (),
        "verified": None,
    }
    if place.bundle is None:
        return row
    problems = place.bundle.dated(now) | place.problems
    row["problems"] = tuple(sorted(problem.value for problem in problems))
    row["not_before"], row["not_after"] = place.bundle.span(now)
    row["chain_not_after"] = place.bundle.chain_ends()
    row["staple_until"] = place.staple_until
    if place.source == "endpoint":
        row["verified"] = not any(problem.refusal for problem in problems)
        row["fingerprint"] = place.bundle.fingerprint
        row["stored_fingerprint"], row["stored_written"] = place.stored or (None, None)
    return row
