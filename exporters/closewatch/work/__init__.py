"""The scheduled lane: runs the checks of all targets when they are due, under a lease, and keeps what they found.

`closewatch work` and `closewatch serve` share nothing but the record store. A check that was missed runs once. Within
its window each target starts at a place of its own, by a hash of its name, so that 500 of them don't start at once and
the same one runs at the same time each day.
"""

from closewatch.work.jobs import SPREAD, Job, is_due, jobs_of
from closewatch.work.keeping import housekeeping
from closewatch.work.schedule import Schedule
from closewatch.work.worker import GRACE, LEASE, Worker, account, header

__all__ = [
    "GRACE",
    "LEASE",
    "SPREAD",
    "Job",
    "Schedule",
    "Worker",
    "account",
    "header",
    "housekeeping",
    "is_due",
    "jobs_of",
]
