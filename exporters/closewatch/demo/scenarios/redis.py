"""Faults of the store of sessions."""

from __future__ import annotations

from closewatch.demo.judge import PAGERS, Expected, Told
from closewatch.demo.scenarios.scenario import SERVICE, SHARED, Repair, Scenario
from closewatch.demo.sessions import NAME
from closewatch.demo.stack import Stack

_STORE = {**SHARED, "target": NAME, "layer": "cache", "cause": ""}
_TICKET = "closewatch-ticket"
_SHORT_BY = 300_000


def _run_short_of_memory(stack: Stack) -> Repair:
    """Somebody else's data takes the memory, and the policy is a cache's: sessions are thrown away to make room."""
    store = stack.sessions
    store.set_memory(str(store.used() - _SHORT_BY), "allkeys-lru")
    return lambda: store.set_memory("256mb", "noeviction")


def _open_the_door(stack: Stack) -> Repair:
    """A debugging session's settings stay: no password, and no protected mode."""
    stack.sessions.open_to_all()
    return stack.sessions.lock


SCENARIOS = (
    Scenario(
        "redis-eviction",
        "the store of sessions runs out of memory and throws sessions away",
        _run_short_of_memory,
        f'increase(closewatch_redis_evicted_keys_total{{target="{NAME}"}}[1m]) > 0',
        Expected(
            Told("RedisEvictingKeys", "critical", labels=_STORE),
            also=(
                Told("RedisEvictingKeys", "critical", SERVICE, _STORE),
                Told("RedisMemoryNearLimit", "warning", _TICKET, _STORE),
            ),
        ),
    ),
    Scenario(
        "redis-exposed",
        "the store of sessions lets anybody in: no password, and no protected mode",
        _open_the_door,
        f'closewatch_redis_exposed{{target="{NAME}",exposure="default_user_without_password"}} == 1',
        Expected(Told("RedisExposed", "critical", PAGERS[1], _STORE)),
        seen="closewatch sees that the default user needs no password",
    ),
)
