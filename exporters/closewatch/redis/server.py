"""Since when does it run, does it still load its data, and how many keys does it hold?

    closewatch_redis_start_timestamp_seconds 1.7324e+09
    closewatch_redis_keys 4211
    closewatch_redis_keys_without_expiry 3

Keys of all databases together. Sessions expire: a growing number of keys without expiry is a leak, or another
application's data.

Rights: info. Cost: none to speak of. Source: INFO server, persistence, keyspace.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory, On, Row
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.redis.reading import number, shard, speaks
from closewatch.sources.redis.command import INFO

START = Gauge("closewatch_redis_start_timestamp_seconds", "When the server process was started.", ("member",))
LOADING = Gauge(
    "closewatch_redis_loading",
    "Whether the server still loads its data and answers nobody (1) or not (0).",
    ("member",),
)
KEYS = Gauge("closewatch_redis_keys", "Keys in all databases of the master.", ("shard",))
KEYS_WITHOUT_EXPIRY = Gauge(
    "closewatch_redis_keys_without_expiry", "Keys of the master that stay until somebody deletes them.", ("shard",)
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The process for each member, the keys for masters."""
    row = answer.one()
    yield START(_started(answer, row, memory), member=answer.member)
    loading = number(row, "loading")
    yield LOADING(loading, member=answer.member)
    if speaks(answer) and loading == 0:
        keys, expiring = _keys(row)
        yield KEYS(keys, shard=shard(answer))
        yield KEYS_WITHOUT_EXPIRY(keys - expiring, shard=shard(answer))


def _started(answer: Answer, row: Row, memory: Memory) -> float | None:
    """The same time at each scrape of a run: the uptime has whole seconds, so that a difference would waver."""
    uptime = number(row, "uptime_in_seconds")
    if uptime is None:
        return None
    run = str(row.get("run_id", ""))
    known: tuple[str, float] = memory.get(answer.member, ("", 0.0))
    if known[0] != run or not run:
        known = memory[answer.member] = (run, round(answer.asked_at - uptime))
    return known[1]


def _keys(row: Row) -> tuple[float, float]:
    """Keys, and those of them that expire: `db0:keys=12,expires=3,...`."""
    keys = expiring = 0.0
    for name, value in row.items():
        if name.startswith("db") and name[2:].isdigit():
            parts = dict(part.partition("=")[::2] for part in value.split(","))
            keys += number(parts, "keys") or 0
            expiring += number(parts, "expires") or 0
    return keys, expiring


SERVER = Collector(
    "server",
    ask={"main": INFO},
    read=read,
    families=(START, LOADING, KEYS, KEYS_WITHOUT_EXPIRY),
    on=On.EACH,
)
