"""Are there slow commands, and what does the server itself wait for?

    closewatch_redis_slow_commands_total 12
    closewatch_redis_latency_last_seconds{event="fork"} 0.31

What is slow is the server's own setting: slowlog-log-slower-than (10 ms) and latency-monitor-threshold (0: nothing is
noted). A slow command's number is that of the log's newest entry; it goes on when the log is full or was emptied. The
command itself may hold a session's key: it is dropped unread. Events are
summed up in classes, each by its newest; the three classes with the newest are shown.

Rights: slowlog|get, latency|latest; slowlog|get shows commands with their keys, so leave it out (`without: [slowlog]`)
where the watcher must not see them. Cost: one entry each. Source: SLOWLOG GET 1, LATENCY LATEST.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from closewatch.core.collectors import Answer, Collector, Memory, Row
from closewatch.core.families import Counter, Gauge, Sample
from closewatch.core.targets import Target
from closewatch.redis.reading import shard
from closewatch.sources.redis.command import INFO, one

SLOW = Counter(
    "closewatch_redis_slow_commands_total",
    "Commands of the master that were slower than its slow log's limit.",
    ("shard",),
)
SLOW_LAST = Gauge(
    "closewatch_redis_slow_command_last_timestamp_seconds",
    "When the newest entry of the master's slow log was made; absent while it is empty.",
    ("shard",),
)
LATENCY_LAST = Gauge(
    "closewatch_redis_latency_last_seconds",
    "How long the newest latency event of a class took; of the three newest.",
    ("event", "shard"),
)
LATENCY_AT = Gauge(
    "closewatch_redis_latency_last_timestamp_seconds", "When the newest latency event of all classes was.", ("shard",)
)
MAX_CLASSES = 3

_CLASSES = (
    ("aof", "append_only_file"),
    ("rdb", "snapshot"),
    ("fork", "fork"),
    ("command", "command"),
    ("fast-command", "command"),
    ("expire", "expiry"),
    ("active-defrag", "defragmentation"),
    ("evict", "eviction"),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The slow log's number and the newest event of each class."""
    part = shard(answer)
    if "slow" in answer:
        yield from _slow(answer, part, memory)
    newest: dict[str, Row] = {}
    for row in answer.rows("latency"):
        name = next((words for start, words in _CLASSES if row["event"].startswith(start)), "other")
        if name not in newest or row["at"] > newest[name]["at"]:
            newest[name] = row
    latest = sorted(newest.items(), key=lambda named: -named[1]["at"])[:MAX_CLASSES]
    for name, row in latest:
        yield LATENCY_LAST(row["last"] / 1000, event=name, shard=part)
    if latest:
        yield LATENCY_AT(latest[0][1]["at"], shard=part)


def _slow(answer: Answer, part: str | None, memory: Memory) -> Iterator[Sample]:
    """Numbers start at 0 with the server; of an emptied log the last one seen is remembered, for the same run."""
    run = (answer.member, str(answer.one().get("run_id", "")))
    rows = answer.rows("slow")
    known: tuple[tuple[str, str], int] = memory.get(part or "", (run, 0))
    count = rows[0]["id"] + 1 if rows else (known[1] if known[0] == run else 0)
    memory[part or ""] = (run, count)
    yield SLOW(count, shard=part)
    if rows:
        yield SLOW_LAST(rows[0]["at"], shard=part)


LATENCY = Collector(
    "latency",
    ask={
        "main": INFO,
        "slow": (one("SLOWLOG", "GET", "1", shape="slow", optional=True),),
        "latency": (one("LATENCY", "LATEST", shape="events", optional=True),),
    },
    read=read,
    families=(SLOW, SLOW_LAST, LATENCY_LAST, LATENCY_AT),
)
