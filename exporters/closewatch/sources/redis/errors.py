"""Errors of Redis and Valkey as reasons. What the server said decides, and goes no further."""

from __future__ import annotations

from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    BusyLoadingError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.redis.wire import os_reason

# The words decide only where redis-py has no class of its own for them.
_CLASSES: tuple[tuple[type[Exception], Reason], ...] = (
    (AuthenticationError, Reason.AUTHENTICATION),
    (AuthenticationWrongNumberOfArgsError, Reason.AUTHENTICATION),
    (NoPermissionError, Reason.PERMISSION),
    (BusyLoadingError, Reason.STARTING),
)
_WORDS: tuple[tuple[str, Reason], ...] = (
    ("max number of clients", Reason.TOO_MANY_CONNECTIONS),
    ("unknown command", Reason.MISSING),
    ("unknown subcommand", Reason.MISSING),
    ("syntax error", Reason.MISSING),
    ("wrong number of arguments", Reason.MISSING),
    ("cluster support disabled", Reason.MISSING),
    ("no such master", Reason.MISSING),
    ("denied redis is running in protected mode", Reason.AUTHENTICATION),
    ("-denied", Reason.AUTHENTICATION),
)


def reason_of(error: Exception) -> Unavailable:
    """An error as a reason. What the server said is not kept."""
    if isinstance(error, Unavailable):
        return error
    for kind, reason in _CLASSES:
        if isinstance(error, kind):
            return Unavailable(reason)
    if isinstance(error, RedisError):
        said = str(error)[:200].lower()
        for words, reason in _WORDS:
            if words in said:
                return Unavailable(reason)
        if isinstance(error, ResponseError):
            return Unavailable(Reason.SERVER_ERROR)
        return Unavailable(Reason.INVALID_ANSWER)
    return os_reason(error) if isinstance(error, OSError) else Unavailable(Reason.INVALID_ANSWER)
