"""Does Alertmanager answer, and when did its last notification arrive?

closewatch_alertmanager_info{version="0.28.1",cluster="ready"} 1
closewatch_alertmanager_notifications_recorded_timestamp_seconds 1.7642e+09
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.alertmanager.notification import NAME
from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target

INFO = Gauge(
    "closewatch_alertmanager_info",
    "Version of the Alertmanager, and how its cluster does (ready, settling, disabled, unknown); always 1.",
    ("version", "cluster"),
)
RECORDED = Gauge(
    "closewatch_alertmanager_notifications_recorded_timestamp_seconds",
    "When the newest notification of this Alertmanager was recorded; absent where none ever was.",
)


def read_status(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """Its status."""
    row = answer.one()
    yield INFO(1, version=row["version"], cluster=row["cluster"])


def read_recorded(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The newest notification's time."""
    yield RECORDED(answer.one("newest").get("end"))


STATUS = Collector("status", {"main": "status"}, read_status, (INFO,))
NOTIFIED = Collector("notifications", {}, read_recorded, (RECORDED,), recorded=NAME)
