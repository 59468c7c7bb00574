"""Does it throw things away, or refuse them, for want of memory?

    closewatch_redis_memory_used_bytes 4.1e+08
    closewatch_redis_memory_max_bytes 5.3e+08
    closewatch_redis_evicted_keys_total 0
    closewatch_redis_eviction_allowed 0

Without a limit (maxmemory 0) there is no `memory_max_bytes`: the system's memory is the limit then. At the limit a
policy other than noeviction throws keys away, and noeviction refuses every write. What replicas and the append-only
file buffer isn't counted against the limit; `memory_evictable_bytes` leaves it out, as the server does.

Below 100 MB the fragmentation ratio is mostly the process itself, and is left out.

Rights: info. Cost: none to speak of. Source: INFO memory, stats.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Counter, Gauge, Sample
from closewatch.core.targets import Target
from closewatch.redis.reading import number, shard, total
from closewatch.sources.redis.command import INFO

USED = Gauge("closewatch_redis_memory_used_bytes", "Memory that the master has in use.", ("shard",))
EVICTABLE = Gauge(
    "closewatch_redis_memory_evictable_bytes",
    "Memory of the master that counts against its limit: less what replicas and the append-only file buffer.",
    ("shard",),
)
MAX = Gauge("closewatch_redis_memory_max_bytes", "The master's limit, maxmemory; absent where it has none.", ("shard",))
SYSTEM = Gauge(
    "closewatch_redis_memory_system_bytes",
    "Memory of the machine that the master runs on; only where the master has no limit of its own.",
    ("shard",),
)
FRAGMENTATION = Gauge(
    "closewatch_redis_memory_fragmentation_ratio",
    "Memory that the process holds against what it uses, on the master; absent below 100 MB, where it means nothing.",
    ("shard",),
)
EVICTION_ALLOWED = Gauge(
    "closewatch_redis_eviction_allowed",
    "Whether the master's policy throws keys away at the limit (1), or refuses writes (0).",
    ("shard",),
)
EVICTED = Counter("closewatch_redis_evicted_keys_total", "Keys thrown away for want of memory.", ("shard",))
EXPIRED = Counter("closewatch_redis_expired_keys_total", "Keys deleted because their time had come.", ("shard",))

FLOOR = 100 * 1024 * 1024


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The master's memory, or each shard's."""
    row, part = answer.one(), shard(answer)
    used = number(row, "used_memory")
    yield USED(used, shard=part)
    if used is not None:
        yield EVICTABLE(used - (number(row, "mem_not_counted_for_evict") or 0), shard=part)
        if used >= FLOOR:
            yield FRAGMENTATION(number(row, "mem_fragmentation_ratio"), shard=part)
    limit = number(row, "maxmemory")
    yield MAX(limit or None, shard=part)
    if limit == 0:
        yield SYSTEM(number(row, "total_system_memory") or None, shard=part)
    policy = row.get("maxmemory_policy")
    yield EVICTION_ALLOWED(None if policy is None else policy != "noeviction", shard=part)
    yield EVICTED(total(memory, answer, row, "evicted_keys"), shard=part)
    yield EXPIRED(total(memory, answer, row, "expired_keys"), shard=part)


MEMORY = Collector(
    "memory",
    ask={"main": INFO},
    read=read,
    families=(USED, EVICTABLE, MAX, SYSTEM, FRAGMENTATION, EVICTION_ALLOWED, EVICTED, EXPIRED),
)
