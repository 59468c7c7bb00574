"""Would a client that verifies be satisfied, and what is wrong with a certificate?

    closewatch_certificate_verified{source="endpoint",certificate="odoo.example.com:443"} 0
    closewatch_certificate_problem{source="endpoint",certificate="odoo.example.com:443",reason="incomplete_chain"} 1
    closewatch_certificate_staple_next_update_timestamp_seconds{source="endpoint",certificate="mail:25"} 1.79e+09

Only endpoints are verified: a file may be half of a chain on purpose. Some problems don't make a client refuse, and so
leave `verified` at 1: a weak key or signature, an odd order, a missing OCSP answer. Files have those that can be seen
in the certificate alone: dates, key, signature.

Rights, cost: those of the handshake (see `expiry`). Source: the chain as served, OpenSSL's verification with the
system's authorities and those of the configuration.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.certificates.places import EVERY, PLACE, shown
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target

VERIFIED = Gauge(
    "closewatch_certificate_verified",
    "Whether a client that verifies accepts what the endpoint serves (1) or not (0).",
    PLACE,
)
PROBLEM = Gauge(
    "closewatch_certificate_problem",
    "What is wrong with a certificate, as a word of a closed set; present, with value 1, only while it is.",
    ("source", "certificate", "reason"),
)
STAPLE_NEXT_UPDATE = Gauge(
    "closewatch_certificate_staple_next_update_timestamp_seconds",
    "Until when the OCSP answer holds that the endpoint sends along; absent where it sends none.",
    PLACE,
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The verdict, and each thing that is wrong."""
    for row in shown(answer, target):
        place = {"source": row["source"], "certificate": row["certificate"]}
        yield VERIFIED(row["verified"], **place)
        yield STAPLE_NEXT_UPDATE(row.get("staple_until"), **place)
        for problem in row["problems"]:
            yield PROBLEM(1, reason=problem, **place)


VERIFICATION = Collector(
    "verification",
    ask={"main": "places"},
    read=read,
    families=(VERIFIED, PROBLEM, STAPLE_NEXT_UPDATE),
    every=EVERY,
)
