"""What may be configured of Redis, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from closewatch.redis import COLLECTORS
from closewatch.redis.settings import RedisTarget


def made(**more: Any) -> RedisTarget:
    return RedisTarget.model_validate({"kind": "redis", "name": "r", "use": "sessions", **more})


def asked(target: RedisTarget) -> set[str]:
    """Which of the collectors that not every target needs are asked."""
    return {collector.name for collector in target.asked(COLLECTORS)} & {"replica", "cluster", "outside"}


@pytest.mark.parametrize(
    ("more", "expected", "collectors"),
    [
        ({"hosts": ["a"]}, 0, set()),
        ({"hosts": ["a", "b:6380"]}, 1, {"replica"}),
        ({"hosts": ["a", "b"], "replicas": 0}, 0, {"replica"}),
        ({"sentinels": ["s"], "master": "m"}, None, {"replica"}),
        ({"hosts": ["a"], "cluster": True}, None, {"replica", "cluster"}),
        ({"hosts": ["a"], "cluster": True, "replicas": 2, "outside": ["o"]}, 2, {"replica", "cluster", "outside"}),
    ],
)
def test_what_is_expected_and_asked(more: dict[str, Any], expected: int | None, collectors: set[str]) -> None:
    target = made(**more)
    assert target.replicas_expected == expected
    assert asked(target) == collectors


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({}, "either hosts or sentinels"),
        ({"hosts": ["a"], "sentinels": ["s"], "master": "m"}, "either hosts or sentinels"),
        ({"sentinels": ["s"]}, "belong together"),
        ({"hosts": ["a"], "master": "m"}, "belong together"),
        ({"sentinels": ["s"], "master": "m", "cluster": True}, "has no Sentinels"),
        ({"hosts": ["a", "a:6379"]}, "twice"),
        ({"hosts": ["a:0"]}, "not an address"),
        ({"hosts": ["redis://:secret@a"]}, "not an address"),
        ({"hosts": ["a"], "use": "database"}, "sessions"),
        ({"hosts": ["a"], "application_user": "{user}"}, "pattern"),
        ({"hosts": ["a"], "password": "plain"}, "file"),
        ({"hosts": ["a"], "without": ["info"]}, "config"),
        ({"hosts": ["a"], "tls": {"verify": "maybe"}}, "full"),
    ],
)
def test_what_is_refused(more: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        made(**more)
