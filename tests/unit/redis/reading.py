"""Rows in, samples out: asks a collector's reader without a server."""

from __future__ import annotations

from types import SimpleNamespace

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.targets import Target
from closewatch.sources.redis.command import PLACE
from tests.fixtures.watch import Facts

TARGET = Target.of("redis", "r", environment="test", settings=SimpleNamespace(replicas_expected=1))
NOW = 1_700_000_000.0


def read(
    collector: Collector,
    row: dict[str, object] | None = None,
    memory: Memory | None = None,
    *,
    member: str = "a:6379",
    shard: str = "",
    version: int = 70_000,
    speaks: bool = True,
    **tables: list[dict[str, object]],
) -> Facts:
    """The samples for one member's answer."""
    asked = {PLACE: [{"shard": shard, "speaks": speaks}], **({"main": [row]} if row is not None else {}), **tables}
    samples = list(
        collector.read(
            Answer(asked, version, NOW, member), TARGET, memory if memory is not None else collector.memory()
        )
    )
    assert {sample.family for sample in samples} <= set(collector.families)
    return Facts(samples)
