"""What a sample says of the whole, against the distribution itself."""

from __future__ import annotations

import math

import pytest

from closewatch.restores.verify.sample import Reservoir, most_bad, words


@pytest.mark.parametrize(("sampled", "total"), [(10, 20), (30, 100), (59, 1000), (300, 2000), (100, 100), (1, 5)])
def test_the_bound_is_exact(sampled: int, total: int) -> None:
    def none_found(bad: int) -> float:
        return math.comb(total - bad, sampled) / math.comb(total, sampled)

    most = most_bad(sampled, total)
    assert none_found(most) > 0.05
    assert none_found(most + 1) <= 0.05


def test_in_words() -> None:
    said = words(3000, 200_000)
    assert said == "0 bad of 3,000 sampled of 200,000: fewer than 199 (0.0995 %) are bad with 95 % confidence"


def test_each_is_as_likely() -> None:
    hits = [0] * 20
    for _ in range(2000):
        reservoir = Reservoir(5)
        for item in reservoir.fill(range(20)):
            hits[item] += 1
        assert reservoir.seen == 20
    assert all(abs(hit - 500) < 120 for hit in hits)
