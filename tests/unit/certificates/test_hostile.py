"""Certificates that were damaged at random: each is read or has a reason, and none is a fault in the program.

Both libraries parse late, and raise what they like: KeyError, TypeError, errors of their own.
"""

from __future__ import annotations

import base64
import random
from collections import Counter

import pytest

from closewatch.sources.certificates.facts import Bundle, fitness, must_staple, names_its_issuer
from closewatch.sources.certificates.parse import parse
from closewatch.sources.certificates.staple import staple_problems
from closewatch.sources.certificates.trust import Trust
from closewatch.sources.certificates.words import Unreadable
from tests.server.certificates.authority import CA

MIDDLE = CA("Hostile, below", CA("Hostile"))
LEAF = MIDDLE.issue("a.example", "10.0.0.1", must_staple=True, access=True, permitted="x.example")
ROUNDS = 4_000


def damaged(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


@pytest.mark.filterwarnings("ignore")  # the library warns of some faults
def test_a_damaged_certificate_is_read_or_has_a_reason() -> None:
    chance, trust, seen = random.Random(7), Trust([]), Counter[str]()
    trust.refresh()
    for number in range(ROUNDS):
        data = damaged(LEAF.p12(b"x") if number % 100 == 0 else LEAF.der, chance)
        if number % 3 == 0:
            body = base64.b64encode(data)
            data = b"-----BEGIN CERTIFICATE-----\n" + body + b"\n-----END CERTIFICATE-----\n"
        try:
            certificates = parse(data)
        except Unreadable as failure:
            seen[failure.reason] += 1
            continue
        leaf = certificates[0]
        Bundle.of(certificates)
        fitness(leaf, ["a.example", "10.0.0.1"])
        must_staple(leaf)
        names_its_issuer(leaf)
        trust.verify([*certificates, MIDDLE.certificate])
        seen["read"] += 1
    assert seen["read"] > ROUNDS / 10
    assert seen["malformed"] > ROUNDS / 10


def test_a_damaged_ocsp_answer_is_read_or_invalid() -> None:
    chance, staple = random.Random(7), MIDDLE.staple(LEAF)
    found = [staple_problems(LEAF.certificate, damaged(staple, chance)) for _ in range(ROUNDS)]
    assert {len(problems) for problems, _ in found} <= {0, 1, 2}
