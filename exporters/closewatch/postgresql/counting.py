"""Counters of a cluster that jump neither at a failover nor when a database is dropped.

PostgreSQL counts for each server and each database. A sum over the databases falls when one of them is dropped, which
Prometheus takes for a restart from zero: the whole sum would read as new deadlocks. A failover exchanges all counters
for those of another server, with the same effect in both directions. So a counter starts at what the server says, and
then grows by what that same server added since the last look; a fall, or another server, adds nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from closewatch.core.collectors import Answer, Memory


class _Seen(NamedTuple):
    member: str
    said: float
    total: float


def total(memory: Memory, answer: Answer, name: str, value: float | None) -> float | None:
    """The value to export for a counter of which `answer.member` says `value`; None stays None."""
    if value is None:
        return None
    before: _Seen | None = memory.get(name)
    if before is None:
        result = value
    elif before.member == answer.member:
        result = before.total + max(0.0, value - before.said)
    else:
        result = before.total
    memory[name] = _Seen(answer.member, value, result)
    return result
