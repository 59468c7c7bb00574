"""What the newest restore test found: can it be brought back, how fast, to which moment, and with what loss?

    closewatch_restore_test_success 1
    closewatch_restore_test_last_success_timestamp_seconds 1.7953e+09
    closewatch_restore_test_duration_seconds{phase="rta"} 1264
    closewatch_restore_test_data_loss_seconds 38
    closewatch_restore_test_wal_position_bytes{system_identifier="7713112814927306417",timeline="1"} 1.50995e+08
    closewatch_restore_test_plan_info{database="odoo_acme",backups="pg-07-repo1",origin="pgbackrest"} 1

All of it is read from the record store: a scrape restores nothing. Times and the loss are those of the newest test that
passed: a failed one took no time that means anything.

Rights: to read the record store. Cost: one look into it. Source: the records of the check `restore`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target

CHECK = "restore"
LAST_SUCCESS = Gauge(
    "closewatch_restore_test_last_success_timestamp_seconds",
    "When the newest restore test that passed ended; absent while none has passed.",
)
SUCCESS = Gauge("closewatch_restore_test_success", "Whether the newest restore test passed (1) or not (0).")
FAILURE = Gauge(
    "closewatch_restore_test_failure_info",
    "Why the newest restore test did not pass, as a word of a closed set; present, with value 1, only while it is so.",
    ("reason",),
)
DURATION = Gauge(
    "closewatch_restore_test_duration_seconds",
    "How long each phase of the newest passed test took; rta is the time until the databases could be used.",
    ("phase",),
)
DATA_LOSS = Gauge(
    "closewatch_restore_test_data_loss_seconds",
    "What would have been lost had the failure come when the newest passed test began: the time up to then from the "
    "newest moment that could be restored, whether or not anything was written in it.",
)
WAL_POSITION = Gauge(
    "closewatch_restore_test_wal_position_bytes",
    "Up to where the newest passed test recovered the WAL, as where the next record would begin, in bytes from 0/0; "
    "absent for dumps.",
    ("system_identifier", "timeline"),
)
POINT = Gauge(
    "closewatch_restore_test_point_timestamp_seconds",
    "The moment that the newest passed test recovered to: its newest commit, or the time of the dump.",
)
FROM = Gauge(
    "closewatch_restore_test_recoverable_from_timestamp_seconds",
    "The earliest moment that could be restored when the newest test passed.",
)
UNTIL = Gauge(
    "closewatch_restore_test_recoverable_until_timestamp_seconds",
    "The latest moment that could be restored when the newest test passed.",
)
RTO = Gauge("closewatch_restore_test_rto_seconds", "How long a restore may take at most, as configured.")
RPO = Gauge("closewatch_restore_test_rpo_seconds", "How much data may be lost at most, in time, as configured.")
PLAN = Gauge(
    "closewatch_restore_test_plan_info",
    "What the plan restores, from which target of kind backups, and by which tool; always 1.",
    ("database", "backups", "origin"),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """From the newest record, and the newest that passed."""
    plan = target.settings
    yield PLAN(1, database=plan.database or "", backups=plan.backups or "", origin=plan.origin.name)
    yield RTO(plan.rto)
    yield RPO(plan.rpo)
    newest, passed = answer.one("newest"), answer.one("passed")
    if newest:
        yield SUCCESS(newest["result"] == "passed")
        if newest["reason"] is not None:
            yield FAILURE(1, reason=newest["reason"])
    if passed:
        yield LAST_SUCCESS(passed["end"])
        yield from _figures(passed["payload"])


def _figures(payload: Mapping[str, Any]) -> Iterable[Sample]:
    """Nothing of a payload that has expired."""
    for phase, took in payload.get("phases_ms", {}).items():
        yield DURATION(took / 1000, phase=phase)
    loss = payload.get("data_loss_ms")
    yield DATA_LOSS(None if loss is None else loss / 1000)
    if wal := payload.get("recovered_wal"):
        about = {"system_identifier": wal["system_identifier"], "timeline": str(wal["timeline"])}
        yield WAL_POSITION(wal["position"], **about)
    for family, name in ((POINT, "point"), (FROM, "recoverable_from"), (UNTIL, "recoverable_until")):
        text = payload.get(name)
        yield family(None if text is None else dt.datetime.fromisoformat(text).timestamp())


TESTED = Collector(
    "tested",
    {},
    read,
    (LAST_SUCCESS, SUCCESS, FAILURE, DURATION, DATA_LOSS, WAL_POSITION, POINT, FROM, UNTIL, RTO, RPO, PLAN),
    recorded=CHECK,
)
