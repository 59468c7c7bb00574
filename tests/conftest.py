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
