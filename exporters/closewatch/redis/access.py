"""Is somebody trying the door?

    closewatch_redis_access_denied_total{attempt="login"} 3
    closewatch_redis_access_denied_last_timestamp_seconds 1.7324e+09

A login with a wrong password, and a command, key or channel that the user has no right to. The counters are there from
7.0 on; before, only the time of the newest entry of the ACL log. Who it was stays in that log (ACL LOG), not here.

Rights: info, acl|log. Cost: one entry of the log. Source: INFO stats, ACL LOG 1.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Counter, Gauge, Sample
from closewatch.core.targets import Target
from closewatch.redis.reading import shard, total
from closewatch.sources.redis.command import INFO, one

DENIED = Counter(
    "closewatch_redis_access_denied_total",
    "Logins refused by the master, and commands, keys and channels denied to users.",
    ("attempt", "shard"),
)
LAST = Gauge(
    "closewatch_redis_access_denied_last_timestamp_seconds",
    "When the newest entry of the master's ACL log was last added to; absent while it is empty.",
    ("shard",),
)
_FIELDS = {
    "login": "acl_access_denied_auth",
    "command": "acl_access_denied_cmd",
    "key": "acl_access_denied_key",
    "channel": "acl_access_denied_channel",
}


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """The counters, where the server has them, and the newest entry's time."""
    row, part = answer.one(), shard(answer)
    for attempt, field in _FIELDS.items():
        yield DENIED(total(memory, answer, row, field), attempt=attempt, shard=part)
    for entry in answer.rows("log"):
        yield LAST(round(answer.asked_at - entry["age"]), shard=part)


ACCESS = Collector(
    "access",
    ask={"main": INFO, "log": (one("ACL", "LOG", "1", shape="denied", optional=True),)},
    read=read,
    families=(DENIED, LAST),
)
