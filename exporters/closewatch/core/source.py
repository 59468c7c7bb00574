"""What a source gives the scrape: one way to ask each kind of thing, whatever client is behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from closewatch.core.collectors import Answer, Collector
from closewatch.core.deadline import Deadline
from closewatch.core.families import Sample
from closewatch.core.reasons import Unavailable


@dataclass(slots=True)
class Outcome:
    """What a collector's question gave.

    `answers` holds one for each member asked, none where the collector doesn't apply; `failure` says why an answer is
    missing (with several members, the answers of the others may still be there). `seconds` is how long it took.
    """

    answers: list[Answer] = field(default_factory=list)
    failure: Unavailable | None = None
    seconds: float = 0.0


@dataclass(slots=True)
class Reply:
    """What a target gave, by collector's name; `down` when it cannot do what it is for; the source's own samples."""

    outcomes: Mapping[str, Outcome]
    down: Unavailable | None = None
    samples: list[Sample] = field(default_factory=list)


class Source(Protocol):
    """A target's way to be asked. Used by one thread at a time; `ask` never raises and keeps the deadline."""

    def ask(self, collectors: Sequence[Collector], deadline: Deadline) -> Reply:
        """Ask on behalf of these collectors, in one round trip where the thing allows it."""

    def close(self) -> None:
        """Let go of what is held. May be called from another thread than `ask`."""
