"""Until when does each certificate hold, and which could not be read?

    closewatch_certificate_not_after_timestamp_seconds{source="endpoint",certificate="odoo.example.com:443"} 1.7953e+09
    closewatch_certificate_not_before_timestamp_seconds{source="endpoint",certificate="odoo.example.com:443"} 1.7875e+09
    closewatch_certificate_unreadable{source="file",certificate="/etc/ssl/odoo.pem",reason="truncated"} 1
    closewatch_certificate_places{source="file"} 12

Of several certificates in one place the first counts, as servers have it; in a bundle of authorities the next one to
end. The two times give the share of the lifetime that is left, which is what to judge by: lifetimes go from years to
six days. An endpoint whose handshake broke off after its certificate has both times and a reason.

Rights: to read the files; nothing at endpoints. Cost: a stat a file, a read where it changed; one handshake an
endpoint. Source: the certificates themselves.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable

from closewatch.certificates.places import EVERY, PLACE, limit, shown
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target

NOT_AFTER = Gauge(
    "closewatch_certificate_not_after_timestamp_seconds", "When the certificate of the place ends.", PLACE
)
NOT_BEFORE = Gauge(
    "closewatch_certificate_not_before_timestamp_seconds", "When the certificate of the place begins to hold.", PLACE
)
CHAIN_NOT_AFTER = Gauge(
    "closewatch_certificate_chain_not_after_timestamp_seconds",
    "When the first of the other certificates in the same place ends; absent where there are none.",
    PLACE,
)
UNREADABLE = Gauge(
    "closewatch_certificate_unreadable",
    "Why a place could not be read, as a word of a closed set; present, with value 1, only while it can't.",
    ("source", "certificate", "reason"),
)
PLACES = Gauge("closewatch_certificate_places", "Places that were looked at, by where they come from.", ("source",))
OMITTED = Gauge(
    "closewatch_certificate_omitted_places",
    "Places that have no series as they are beyond the target's limit; their certificates end later than those shown.",
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The times of each place, or its reason."""
    for row in shown(answer, target):
        place = {"source": row["source"], "certificate": row["certificate"]}
        yield NOT_AFTER(row.get("not_after"), **place)
        yield NOT_BEFORE(row.get("not_before"), **place)
        yield CHAIN_NOT_AFTER(row.get("chain_not_after"), **place)
        if row["failure"]:
            yield UNREADABLE(1, reason=row["failure"], **place)
    for source, count in Tally(row["source"] for row in answer.rows()).items():
        yield PLACES(count, source=source)
    yield OMITTED(max(0, len(answer.rows()) - limit(target)))


EXPIRY = Collector(
    "expiry",
    ask={"main": "places"},
    read=read,
    families=(NOT_AFTER, NOT_BEFORE, CHAIN_NOT_AFTER, UNREADABLE, PLACES, OMITTED),
    every=EVERY,
)
