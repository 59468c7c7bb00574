"""Does every replica follow its master, and how far behind is it?

    closewatch_redis_replicas_online 1
    closewatch_redis_replicas_expected 1
    closewatch_redis_replica_lag_bytes{replica="10.0.0.2:6379"} 0

Both views are there: the master's of its replicas, and (collector `replica`) each replica's of its link. The lag in
bytes is the master's, of the stream that it has sent; `replica_last_ack_timestamp_seconds` stops for one that hangs.

Rights: info. Cost: none to speak of. Source: INFO replication.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from closewatch.core.collectors import Answer, Collector, Memory, Row
from closewatch.core.families import Gauge, Sample
from closewatch.core.labels import clean
from closewatch.core.targets import Target
from closewatch.redis.reading import number, shard
from closewatch.sources.redis.command import INFO

ONLINE = Gauge("closewatch_redis_replicas_online", "Replicas that follow the master and have its data.", ("shard",))
EXPECTED = Gauge(
    "closewatch_redis_replicas_expected", "Replicas that the configuration expects of each master.", ("shard",)
)
LAG_BYTES = Gauge(
    "closewatch_redis_replica_lag_bytes",
    "What the master has sent to its stream and the replica has not confirmed.",
    ("replica", "shard"),
)
LAST_ACK = Gauge(
    "closewatch_redis_replica_last_ack_timestamp_seconds",
    "When the master last heard the replica confirm, by closewatch's clock.",
    ("replica", "shard"),
)
OFFSET = Gauge(
    "closewatch_redis_replication_offset_bytes",
    "How much the master with replicas has sent to its stream of changes.",
    ("shard",),
)
FAILING_OVER = Gauge(
    "closewatch_redis_failover_in_progress",
    "Whether a FAILOVER command of a master with replicas is under way (1) or not (0).",
    ("shard",),
)
MAX_REPLICAS = 16


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """A master's replicas, at most 16 by name."""
    row, part = answer.one(), shard(answer)
    found = list(_replicas(row))
    offset = number(row, "master_repl_offset")
    yield ONLINE(sum(one.get("state") == "online" for one in found), shard=part)
    yield EXPECTED(target.settings.replicas_expected, shard=part)
    if found:
        yield OFFSET(offset, shard=part)
        if "master_failover_state" in row:
            yield FAILING_OVER(row["master_failover_state"] != "no-failover", shard=part)
    named: dict[str, Row] = {clean(f"{one.get('ip', '')}:{one.get('port', '')}"): one for one in found}
    for name, one in list(named.items())[:MAX_REPLICAS]:
        confirmed, lag = number(one, "offset"), number(one, "lag")
        if offset is not None and confirmed is not None and one.get("state") == "online":
            yield LAG_BYTES(max(0.0, offset - confirmed), replica=name, shard=part)
        if lag is not None and lag >= 0:
            yield LAST_ACK(round(answer.asked_at - lag), replica=name, shard=part)


def _replicas(row: Row) -> Iterator[Mapping[str, str]]:
    """`slave0:ip=10.0.0.2,port=6379,state=online,offset=4211,lag=0`."""
    for name, value in row.items():
        if name.startswith("slave") and name[5:].isdigit():
            yield dict(part.partition("=")[::2] for part in value.split(","))


REPLICATION = Collector(
    "replication",
    ask={"main": INFO},
    read=read,
    families=(ONLINE, EXPECTED, OFFSET, FAILING_OVER, LAG_BYTES, LAST_ACK),
)
