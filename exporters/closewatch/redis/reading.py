"""Numbers out of INFO, and counters that don't jump at a failover."""

from __future__ import annotations

from typing import NamedTuple

from closewatch.core.collectors import Answer, Memory, Row
from closewatch.sources.redis.command import PLACE


def shard(answer: Answer) -> str | None:
    """The slots that the answering master serves in a cluster; None elsewhere."""
    return answer.one(PLACE).get("shard") or None


def speaks(answer: Answer) -> bool:
    """Whether the answer is that of the master which speaks for the deployment, or for its shard."""
    return answer.one(PLACE).get("speaks") is True


def number(row: Row, name: str) -> float | None:
    """A field as a number; None where it is not there, or not a number."""
    try:
        return float(row[name])
    except (KeyError, ValueError, TypeError):
        return None


def is_word(row: Row, name: str, word: str) -> bool | None:
    """Whether a field is this word; None where it is not there."""
    return row[name] == word if name in row else None


class _Seen(NamedTuple):
    member: str
    run: str
    said: float
    total: float


def total(memory: Memory, answer: Answer, row: Row, name: str) -> float | None:
    """The value to export for a counter of INFO, of the deployment or shard that `answer` speaks for.

    Each server counts for itself, from zero at its start and at CONFIG RESETSTAT. So the counter starts at what the
    server says, then grows by what the same server added; what a restarted one says is all new. Another server after
    a failover adds nothing at first: what it counted as a replica happened to nobody.
    """
    value = number(row, name)
    if value is None:
        return None
    key = f"{name} {shard(answer) or ''}"
    run = str(row.get("run_id", ""))
    before: _Seen | None = memory.get(key)
    if before is None:
        result = value
    elif before.member != answer.member:
        result = before.total
    elif before.run != run or value < before.said:
        result = before.total + value
    else:
        result = before.total + value - before.said
    memory[key] = _Seen(answer.member, run, value, result)
    return result
