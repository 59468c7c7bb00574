"""The OCSP answer that comes with a certificate."""

from __future__ import annotations

import pytest
from cryptography.x509 import ocsp

from closewatch.sources.certificates.staple import staple_problems
from closewatch.sources.certificates.words import Problem
from tests.server.certificates.authority import CA, DAY, DER

MIDDLE = CA("Staple, below", CA("Staple"))
LEAF = MIDDLE.issue()
MUST = MIDDLE.issue(must_staple=True)
UNSIGNED = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
CASES = {
    "none": (LEAF, b"", set()),
    "none, and demanded": (MUST, b"", {Problem.STAPLE_MISSING}),
    "good": (MUST, MIDDLE.staple(MUST), set()),
    "revoked": (LEAF, MIDDLE.staple(LEAF, status=ocsp.OCSPCertStatus.REVOKED), {Problem.REVOKED_BY_STAPLE}),
    "out of date": (LEAF, MIDDLE.staple(LEAF, until=-DAY), {Problem.STAPLE_EXPIRED}),
    "about another": (LEAF, MIDDLE.staple(LEAF, of=MUST), {Problem.STAPLE_INVALID}),
    "an error": (LEAF, UNSIGNED.public_bytes(DER), {Problem.STAPLE_INVALID}),
    "garbage": (LEAF, b"abc", {Problem.STAPLE_INVALID}),
}


@pytest.mark.parametrize(("leaf", "staple", "problems"), [pytest.param(*case, id=name) for name, case in CASES.items()])
def test_what_it_says(leaf, staple, problems) -> None:
    found, until = staple_problems(leaf.certificate, staple)
    assert found == problems
    assert (until is not None) == (bool(staple) and Problem.STAPLE_INVALID not in problems)
