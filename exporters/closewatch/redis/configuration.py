"""The settings that collectors read: few, by name, never `*`, which would bring passwords along.

Before 7 CONFIG GET takes one name. Where the command was renamed, as on managed services, there is no answer and the
facts that need it are absent.
"""

from __future__ import annotations

from closewatch.sources.redis.command import Command

_NAMES = (
    "bind",
    "protected-mode",
    "port",
    "tls-port",
    "save",
    "stop-writes-on-bgsave-error",
    "min-replicas-to-write",
)
CONFIG: tuple[Command, ...] = (
    Command((("CONFIG", "GET", *_NAMES),), "pairs", since=70_000, optional=True),
    Command(tuple(("CONFIG", "GET", name) for name in _NAMES), "pairs", optional=True),
)
