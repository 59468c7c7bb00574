"""Does an endpoint serve the certificate that lies in its file? Renewed and not reloaded ends as expired.

    closewatch_certificate_served_is_stored{source="endpoint",certificate="odoo.example.com:443"} 0
    closewatch_certificate_stored_timestamp_seconds{source="endpoint",certificate="odoo.example.com:443"} 1.7324e+09

Compared are the fingerprints of the first certificate of each. Since when is told by the time at which the file was
written, so it survives a restart of closewatch; a file that is written again with the same certificate doesn't begin
anew, as long as closewatch runs.

Rights: to read the file; not its key. Cost: one small file an endpoint. Source: the handshake and the file (`stored`).
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.certificates.places import EVERY, PLACE, shown
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target

SERVED_IS_STORED = Gauge(
    "closewatch_certificate_served_is_stored",
    "Whether the endpoint serves the certificate that its file holds (1) or another one (0).",
    PLACE,
)
STORED_AT = Gauge(
    "closewatch_certificate_stored_timestamp_seconds",
    "Since when the file holds the certificate that the endpoint doesn't serve; absent while it serves it.",
    PLACE,
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """One comparison an endpoint. The memory holds, by place, (fingerprint that waits, since when)."""
    waiting: dict[str, tuple[str, float]] = {}
    for row in shown(answer, target):
        stored = row.get("stored_fingerprint")
        if not stored:
            continue
        place = {"source": row["source"], "certificate": row["certificate"]}
        same = stored == row["fingerprint"]
        yield SERVED_IS_STORED(same, **place)
        if not same:
            before = memory.get("waiting", {}).get(row["certificate"])
            since = before[1] if before and before[0] == stored else row["stored_written"]
            waiting[row["certificate"]] = (stored, since)
            yield STORED_AT(since, **place)
    memory["waiting"] = waiting


RELOAD = Collector("reload", ask={"main": "places"}, read=read, families=(SERVED_IS_STORED, STORED_AT), every=EVERY)
