"""What all tests share: real servers as fixtures, and the promise that a missing server is not overlooked in CI."""

from __future__ import annotations

pytest_plugins = (
    "tests.fixtures.secrets",
    "tests.fixtures.servers",
    "tests.fixtures.postgres",
    "tests.fixtures.monitoring",
    "tests.fixtures.faults",
    "tests.fixtures.s3",
    "tests.fixtures.watch",
    "tests.fixtures.redis",
    "tests.fixtures.kubeapi",
    "tests.fixtures.archiving",
)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Content is no name: an archive holds the time at which it was made, and two workers must call a test alike."""
    return argname if isinstance(val, bytes) else None
