"""Does it answer strangers? A knock at addresses that others could use, from where closewatch runs.

    closewatch_redis_answers_strangers{address="redis.example.com:6379"} 0

PING without a login, nothing more. An answer is an open door, whatever the settings say; a demand for a password, a
refused connection, or silence of a firewall is not. Asked only where `outside` names addresses.

Rights: none. Cost: one short connection to each address. Source: PING.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target

ANSWERS = Gauge(
    "closewatch_redis_answers_strangers",
    "Whether the address answered a PING without login (1) or not (0); absent where it can't be told.",
    ("address",),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """One sample an address."""
    for row in answer.rows():
        yield ANSWERS(row["open"], address=row["member"])


OUTSIDE = Collector("outside", ask={}, read=read, families=(ANSWERS,), every=60.0, budget=2.0, applies="outside")
