"""Is a number missing in a sequence of entries, or taken twice?

A sequence is a journal and a prefix (`INV/2026/`): Odoo numbers each from anywhere on, without a gap. A number is there
as long as an entry has it that was ever posted. What was deleted at a sequence's end leaves no gap: remember `highest`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sequence:
    """The numbers of one journal under one prefix. `different` counts each number once."""

    journal: int
    prefix: str
    lowest: int
    highest: int
    different: int

    @property
    def missing(self) -> int:
        """Numbers between the lowest and the highest that no entry has."""
        return self.highest - self.lowest + 1 - self.different


def holes(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last of the missing, of numbers in ascending order; a number may come twice."""
    before: int | None = None
    for number in numbers:
        if before is not None and number > before + 1:
            yield before + 1, number - 1
        before = number
