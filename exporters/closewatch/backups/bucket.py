"""Does the bucket protect its backups, and did anybody tamper with them? What the check `posture` recorded.

    closewatch_bucket_object_lock_enabled 1
    closewatch_bucket_public 0
    closewatch_bucket_answer_unknown{question="block"} 1
    closewatch_backup_tampering_last_seen_timestamp_seconds{sign="gone"} 0

What can't be told is absent, and counted by question. While the bucket can't be asked there are no facts: the times at
which signs were seen stay. Rights and cost: those of the check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from closewatch.backups.tampering import SIGNS
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target

LOCK = Gauge("closewatch_bucket_object_lock_enabled", "Whether the bucket has object lock (1) or not (0).")
VERSIONING = Gauge(
    "closewatch_bucket_versioning_enabled", "Whether the bucket keeps versions (1), or was told not to, or never (0)."
)
PUBLIC = Gauge(
    "closewatch_bucket_public",
    "Whether anybody gets in by policy or ACL, or was given a listing or an object without a login (1), or not (0).",
)
ENCRYPTED = Gauge("closewatch_bucket_encrypted", "Whether the bucket encrypts by default (1) or not (0).")
REPLICATED = Gauge("closewatch_bucket_replicated", "Whether a rule of replication is enabled (1) or not (0).")
UNKNOWN = Gauge(
    "closewatch_bucket_answer_unknown",
    "Questions about the bucket that have no answer: denied, not implemented, or not in time; always 1.",
    ("question",),
)
LOCK_DAYS = Gauge(
    "closewatch_bucket_object_lock_days", "Days for which the lock holds new objects by default; 0 without a default."
)
COMPLIANCE = Gauge(
    "closewatch_bucket_object_lock_compliance",
    "Whether the lock's default mode is compliance (1), or governance, which a right can override (0).",
)
RETAINED = Gauge(
    "closewatch_bucket_retained_until_timestamp_seconds",
    "Earliest end of retention of the three newest backups in a bucket with object lock; 0 where one has none.",
)
CONTRADICTIONS = Gauge(
    "closewatch_bucket_lifecycle_contradictions", "Lifecycle rules that expire backups before the retention asked for."
)
UPLOADS = Gauge("closewatch_bucket_incomplete_uploads", "Multipart uploads below the prefix that were never ended.")
MARKERS = Gauge("closewatch_bucket_delete_markers", "Delete markers of backups, as far as they were listed.")
TAMPERING = Gauge(
    "closewatch_backup_tampering_last_seen_timestamp_seconds",
    "When a check last saw a sign of tampering with backups; 0 where none of its records did.",
    ("sign",),
)
EARLY = "_before_retention"


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The newest record's payload."""
    payload: Mapping[str, Any] = answer.one("newest").get("payload") or {}
    if "seen" in payload:
        for sign in SIGNS:
            yield TAMPERING(payload["seen"].get(sign, 0) / 1000, sign=sign)
    if "facts" in payload:
        yield from _facts(payload["facts"])


def _facts(facts: Mapping[str, Any]) -> Iterable[Sample]:
    yield LOCK(facts["lock"])
    yield LOCK_DAYS(facts["lock_days"])
    yield COMPLIANCE(None if facts["lock_mode"] is None else facts["lock_mode"] == "compliance")
    yield VERSIONING(None if facts["versioning"] is None else facts["versioning"] == "enabled")
    yield PUBLIC(facts["public"])
    yield ENCRYPTED(facts["encrypted"])
    yield REPLICATED(facts["replicated"])
    until = facts["retained_until_ms"]
    yield RETAINED(None if until is None else until / 1000)
    wrong = facts["contradictions"]
    yield CONTRADICTIONS(None if wrong is None else sum(word.endswith(EARLY) for word in wrong))
    yield UPLOADS(facts["uploads"])
    yield MARKERS(facts["delete_markers"])
    for question in facts["unknown"]:
        yield UNKNOWN(1, question=question)


BUCKET = Collector(
    "bucket",
    {},
    read,
    (
        LOCK, LOCK_DAYS, COMPLIANCE, VERSIONING, PUBLIC, ENCRYPTED, REPLICATED, RETAINED, CONTRADICTIONS, UPLOADS,
        MARKERS, UNKNOWN, TAMPERING,
    ),
    every=300.0,
    recorded="posture",
)  # fmt: skip
