"""Which places are shown: all, up to the limit of the target. Soonest expiry first, so that what is cut can wait."""

from __future__ import annotations

from collections.abc import Sequence

from closewatch.core.collectors import Answer, Row
from closewatch.core.targets import Target

EVERY = 30.0
"""Seconds between two readings: half as many handshakes as a scrape each 15 seconds would make."""
DEFAULT_LIMIT = 1_000
MAX_LIMIT = 1_500
PLACE = ("source", "certificate")


def shown(answer: Answer, target: Target) -> Sequence[Row]:
    """The rows within the limit. What can't be read comes behind what has expired, and before the rest."""
    return sorted(answer.rows(), key=lambda row: _urgency(row, answer.asked_at))[: limit(target)]


def limit(target: Target) -> int:
    """How many places the target shows."""
    return int(getattr(target.settings, "limit", DEFAULT_LIMIT))


def _urgency(row: Row, now: float) -> tuple[float, str, str]:
    ends = row.get("not_after")
    return (now if ends is None else ends, row["source"], row["certificate"])
