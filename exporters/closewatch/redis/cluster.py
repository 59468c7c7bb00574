"""Does the cluster serve all of its slots?

    closewatch_redis_cluster_ok{member="10.0.0.1:6379"} 1
    closewatch_redis_cluster_slots_unserved{member="10.0.0.1:6379"} 0

Each node's own view: on the smaller side of a split network the views differ. By default a cluster with a slot that
nobody serves refuses everything (cluster-require-full-coverage).

Rights: cluster|info, cluster|slots. Cost: none to speak of. Source: CLUSTER INFO.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory, On
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.redis.reading import is_word, number
from closewatch.sources.redis.command import one

OK = Gauge(
    "closewatch_redis_cluster_ok", "Whether the node takes the cluster for able to work (1) or not (0).", ("member",)
)
UNSERVED = Gauge(
    "closewatch_redis_cluster_slots_unserved", "Slots that no node serves that this one reaches, of 16384.", ("member",)
)
SLOTS = 16_384


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """A node's view."""
    row, member = answer.one(), answer.member
    served = number(row, "cluster_slots_ok")
    yield OK(is_word(row, "cluster_state", "ok"), member=member)
    yield UNSERVED(None if served is None else SLOTS - served, member=member)


CLUSTER = Collector(
    "cluster",
    ask={"main": (one("CLUSTER", "INFO", shape="info"),)},
    read=read,
    families=(OK, UNSERVED),
    on=On.EACH,
    applies="cluster",
)
