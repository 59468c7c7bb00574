"""The OCSP answer that a server sends with its certificate: what it says, and until when it holds.

Its signature isn't verified: a server that lies about its own certificate would have no reason to staple an answer.
That a certificate has no staple is normal since the large public authority ended OCSP in 2025; only one that demands
it must have one.
"""

from __future__ import annotations

import time

from cryptography import x509
from cryptography.x509 import ocsp

from closewatch.sources.certificates.facts import must_staple
from closewatch.sources.certificates.words import Problem


def staple_problems(leaf: x509.Certificate, staple: bytes) -> tuple[set[Problem], float | None]:
    """What is wrong with the staple, and its next update in Unix seconds where it has one."""
    if not staple:
        return ({Problem.STAPLE_MISSING} if must_staple(leaf) else set()), None
    try:
        answer = ocsp.load_der_ocsp_response(staple)
        if (
            answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL
            or answer.serial_number != leaf.serial_number
        ):
            return {Problem.STAPLE_INVALID}, None
        until = answer.next_update_utc.timestamp() if answer.next_update_utc else None
        status = answer.certificate_status
    except ValueError:
        return {Problem.STAPLE_INVALID}, None
    found = {Problem.REVOKED_BY_STAPLE} if status is ocsp.OCSPCertStatus.REVOKED else set()
    if until is not None and until <= time.time():
        found.add(Problem.STAPLE_EXPIRED)
    return found, until
