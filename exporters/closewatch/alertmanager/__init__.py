"""Alertmanager: what it sent, what is silenced, and whether a critical alert reached nobody.

A target is one Alertmanager, or a cluster of them, asked at one member. `closewatch receive` takes its notifications by
webhook and keeps each as a record (`notification`). Two scheduled checks ask its API: `silences` keeps who hides what
since when, and `told` looks whether each critical alert that fires was in a notification.
"""

from closewatch.alertmanager.silences import SILENCES
from closewatch.alertmanager.status import NOTIFIED, STATUS
from closewatch.alertmanager.told import TOLD
from closewatch.core.collectors import Collector

COLLECTORS: tuple[Collector, ...] = (STATUS, SILENCES, TOLD, NOTIFIED)
