"""Can one more client connect, does anybody wait, and does the cache help?

    closewatch_redis_connections 41
    closewatch_redis_connections_max 10000
    closewatch_redis_rejected_connections_total 0
    closewatch_redis_keyspace_hits_total 90231

The connection that asks is counted, too. A rejection is either the limit of clients or protected mode, which sends
away whoever is not on the same machine. The hit ratio is that of the counters' growth, never of their totals.

Rights: info; for the limit also config|get before 6.2. Cost: none to speak of. Source: INFO clients, stats.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Counter, Gauge, Sample
from closewatch.core.targets import Target
from closewatch.redis.reading import number, shard, total
from closewatch.sources.redis.command import INFO, one

CONNECTED = Gauge("closewatch_redis_connections", "Clients connected to the master, the one that asks too.", ("shard",))
MAX = Gauge("closewatch_redis_connections_max", "Clients that the master takes at once: maxclients.", ("shard",))
BLOCKED = Gauge(
    "closewatch_redis_blocked_clients", "Clients that wait in a blocking command of the master's.", ("shard",)
)
REJECTED = Counter(
    "closewatch_redis_rejected_connections_total",
    "Connections refused by the master: too many clients, or protected mode.",
    ("shard",),
)
COMMANDS = Counter("closewatch_redis_commands_total", "Commands that the master carried out.", ("shard",))
HITS = Counter("closewatch_redis_keyspace_hits_total", "Reads of a key that was there.", ("shard",))
MISSES = Counter("closewatch_redis_keyspace_misses_total", "Reads of a key that was not there.", ("shard",))


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The master's clients and their work, or each shard's."""
    row, part = answer.one(), shard(answer)
    limit = number(row, "maxclients")
    yield CONNECTED(number(row, "connected_clients"), shard=part)
    yield MAX(number(answer.one("limit"), "maxclients") if limit is None else limit, shard=part)
    yield BLOCKED(number(row, "blocked_clients"), shard=part)
    yield REJECTED(total(memory, answer, row, "rejected_connections"), shard=part)
    yield COMMANDS(total(memory, answer, row, "total_commands_processed"), shard=part)
    yield HITS(total(memory, answer, row, "keyspace_hits"), shard=part)
    yield MISSES(total(memory, answer, row, "keyspace_misses"), shard=part)


CONNECTIONS = Collector(
    "connections",
    ask={
        "main": INFO,
        "limit": (one("CONFIG", "GET", "maxclients", shape="pairs", until=60_200, optional=True),),
    },
    read=read,
    families=(CONNECTED, MAX, BLOCKED, REJECTED, COMMANDS, HITS, MISSES),
)
