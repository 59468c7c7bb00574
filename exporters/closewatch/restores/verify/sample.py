"""What a random sample without a bad one says of the whole, exactly: the hypergeometric distribution."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable
from decimal import ROUND_UP, Decimal
from typing import TypeVar

CONFIDENCE = 95
"""Per cent."""
Item = TypeVar("Item")


class Reservoir:
    """Of files whose number isn't known before, so many by chance, each as likely as any other."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.seen = 0

    def fill(self, items: Iterable[Item]) -> list[Item]:
        """Go through all; gives the sample."""
        kept: list[Item] = []
        for item in items:
            self.seen += 1
            if len(kept) < self.size:
                kept.append(item)
            elif (at := secrets.randbelow(self.seen)) < self.size:
                kept[at] = item
        return kept


def most_bad(sampled: int, total: int, confidence: int = CONFIDENCE) -> int:
    """The largest number of bad ones in `total` that is compatible with none among `sampled`.

    With one more, a sample without a bad one has a probability of at most 1 - confidence.
    """
    low, high = 0, total - sampled
    while low < high:
        middle = (low + high + 1) // 2
        if _none_found(middle, sampled, total) > 1 - confidence / 100:
            low = middle
        else:
            high = middle - 1
    return low


def _none_found(bad: int, sampled: int, total: int) -> float:
    """The probability that none of `bad` is in the sample: C(total - bad, sampled) / C(total, sampled)."""
    if bad > total - sampled:
        return 0.0
    parts = ((total - bad, 1), (total - bad - sampled, -1), (total, -1), (total - sampled, 1))
    return math.exp(sum(sign * math.lgamma(number + 1) for number, sign in parts))


def words(sampled: int, total: int, confidence: int = CONFIDENCE) -> str:
    """The confidence of a sample without a bad one, for people."""
    fewer = most_bad(sampled, total, confidence) + 1
    share = (Decimal(100 * fewer) / Decimal(max(1, total))).quantize(Decimal("0.0001"), ROUND_UP).normalize()
    return (
        f"0 bad of {sampled:,} sampled of {total:,}: fewer than {fewer:,} ({share:f} %) are bad"
        f" with {confidence} % confidence"
    )
