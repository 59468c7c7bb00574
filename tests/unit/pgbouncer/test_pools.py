"""Pools as rows of SHOW POOLS, of any version: which are shown, what is summed up, and names that somebody made up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from closewatch.core.collectors import Answer, Memory
from closewatch.core.families import Sample
from closewatch.core.targets import Target
from closewatch.pgbouncer import pools

TARGET = Target.of("pgbouncer", "bouncer", environment="test")
OLD = {"cl_active": 1, "cl_waiting": 0, "sv_active": 1, "sv_idle": 0, "sv_used": 0, "sv_tested": 0, "sv_login": 0}
"""The columns of 1.12; those of 1.18 count what is canceled apart, 1.24 has load balancing besides."""


def row(database: str, user: str = "app", **more: Any) -> dict[str, Any]:
    return {"database": database, "user": user, **OLD, "maxwait": 0, "maxwait_us": 0, "pool_mode": "session", **more}


def read(rows: Sequence[dict[str, Any]], memory: Memory | None = None, sizes: Sequence[Any] = ()) -> list[Sample]:
    answer = Answer({"main": rows, "databases": [{"name": name, "pool_size": size} for name, size in sizes]})
    return list(pools.read(answer, TARGET, {} if memory is None else memory))


def shown(samples: list[Sample]) -> set[tuple[str, ...]]:
    return {sample.labels for sample in samples if sample.family is pools.WAIT}


def value(samples: list[Sample], family: object, *labels: str) -> float | None:
    (found,) = [sample.value for sample in samples if sample.family is family and sample.labels == labels]
    return found


def test_the_oldest_version_s_columns_suffice() -> None:
    samples = read([row("one", cl_waiting=2, maxwait=3)], sizes=[("one", 20)])
    assert value(samples, pools.CLIENTS, "one", "app", "waiting") == 2
    assert value(samples, pools.WAIT, "one", "app") == 3
    assert value(samples, pools.SIZE, "one", "app") == 20


def test_what_newer_versions_count_apart_is_active_and_microseconds_count() -> None:
    newer = row("one", sv_active_cancel=1, sv_being_canceled=2, maxwait=1, maxwait_us=500_000, load_balance_hosts=None)
    samples = read([newer])
    assert value(samples, pools.SERVERS, "one", "app", "active") == 4
    assert value(samples, pools.WAIT, "one", "app") == 1.5


def test_the_console_is_no_pool() -> None:
    assert read([row("pgbouncer", "pgbouncer")]) == []


def test_a_size_that_is_not_told_gives_no_sample_with_a_value() -> None:
    assert value(read([row("one")]), pools.SIZE, "one", "app") is None


def test_of_many_the_waiting_and_the_largest_are_shown_and_the_rest_is_summed_up() -> None:
    many = [row(f"db{number:03}", sv_active=number) for number in range(100)]
    many[3] = row("db003", cl_waiting=1, maxwait=9)
    samples = read(many)
    assert ("db003", "app") in shown(samples)
    assert ("db099", "app") in shown(samples)
    assert len(shown(samples)) == pools.SHOWN + 1
    active = sum(s.value or 0 for s in samples if s.family is pools.SERVERS and s.labels[2] == "active")
    assert active == sum(one["sv_active"] for one in many), "nothing is lost"


def test_the_rest_s_wait_is_the_longest_of_it() -> None:
    many = [row(f"db{number:03}", cl_waiting=2) for number in range(pools.SHOWN)]
    samples = read([*many, row("late", cl_waiting=1, maxwait=70)])
    assert value(samples, pools.WAIT, *pools.OTHER) == 70


def test_a_pool_that_is_shown_stays_while_it_is_near_the_top() -> None:
    memory: Memory = {}
    many = [row(f"db{number:03}", sv_active=number) for number in range(60)]
    first = shown(read(many, memory))
    overtaken = [{**one, "sv_active": 70 - index if index < 5 else one["sv_active"]} for index, one in enumerate(many)]
    assert shown(read(overtaken, memory)) == first, "five others are larger now, by a little"
    far = [{**one, "sv_active": 500 if index < 45 else one["sv_active"]} for index, one in enumerate(many)]
    assert shown(read(far, memory)) != first


def test_who_waits_is_shown_at_once() -> None:
    memory: Memory = {}
    many = [row(f"db{number:03}", sv_active=number) for number in range(60)]
    read(many, memory)
    many[0] = row("db000", cl_waiting=1, maxwait=1)
    assert ("db000", "app") in shown(read(many, memory))


def test_names_that_somebody_made_up() -> None:
    """A client chooses database and user where PgBouncer makes pools by itself: they may be anything."""
    rows = [row("other", "other", cl_waiting=1), row("x" * 500), row("x" * 499 + "y"), row("a\x00b"), row('q"\n')]
    rows += [row(f"db{number:03}", sv_active=9) for number in range(30)]
    samples = read(rows)
    keys = [(sample.family.name, sample.labels) for sample in samples]
    assert len(keys) == len(set(keys))
    assert all(len(label) <= 120 and "\x00" not in label for sample in samples for label in sample.labels)
    assert ("other_", "other") in shown(samples)


def test_figures_that_are_none() -> None:
    samples = read([row("one", cl_active=None, cl_waiting="many", maxwait=None)])
    assert value(samples, pools.CLIENTS, "one", "app", "waiting") == 0
