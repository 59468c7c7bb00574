"""Where records are kept: what every store can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from closewatch.core.records.record import Chain, Record


class StoreError(Exception):
    """The store can't be used. The text is our own words: no path's content, no password."""


def readable(chain: Chain, records: Sequence[Record]) -> Sequence[Record]:
    """The same records. Raises StoreError where somebody has made one unreadable."""
    if not all(record.whole for record in records):
        raise StoreError(f"{chain}: a record was changed so that it can't be read; see `closewatch records verify`")
    return records


class LeaseLost(Exception):
    """Another worker has the lease meanwhile: what was found must not be written."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run a check. `counter` grows with each lease of a chain: an older one can't write any more."""

    chain: Chain
    owner: str
    counter: int


class Store(Protocol):
    """Thread-safe. Every call may raise StoreError, and ends within some seconds."""

    def newest(self, chain: Chain, count: int = 1) -> Sequence[Record]:
        """The newest records of a chain, the newest first."""

    def newest_passed(self, chain: Chain) -> Record | None:
        """The newest record that passed."""

    def lease(self, chain: Chain, owner: str, seconds: float) -> Lease | None:
        """A lease for so long; None while somebody else has one."""

    def renew(self, lease: Lease, seconds: float) -> bool:
        """Keep it for so long from now; False where it was lost."""

    def release(self, lease: Lease) -> None:
        """Give it back."""

    def append(self, lease: Lease, about: Mapping[str, Any], payload: Mapping[str, Any]) -> Record:
        """Add a record to the lease's chain and end the lease, in one transaction. Raises LeaseLost, ValueError."""

    def chains(self) -> Sequence[Chain]:
        """All chains, in order."""

    def records(self, chain: Chain) -> Iterator[Record]:
        """A chain from its beginning."""

    def expire(self, before: float) -> int:
        """Forget the payloads of records that ended before (Unix seconds); gives how many. Headers stay."""

    def heads(self, after: str = "") -> Sequence[tuple[str, str]]:
        """The signed heads (document, signature) of the days after one, the oldest first."""

    def newest_head(self) -> tuple[str, str] | None:
        """The newest of them."""

    def keep_head(self, day: str, document: str, signature: str) -> None:
        """Keep the signed heads of a day (2026-11-28); a second time for a day is refused by StoreError."""

    def copies(self) -> Mapping[str, str]:
        """To which day each copy of the heads is complete, by the copy's name."""

    def copied(self, name: str, day: str) -> None:
        """Note that a copy has the heads up to a day."""

    def current(self) -> bool:
        """Whether it is still what would be opened now. Raises nothing."""

    def unwritable(self) -> bool:
        """Whether nobody can write to it at the moment, as far as it can be told without writing."""

    def close(self) -> None:
        """Let go of it."""
