"""A bucket's posture where the server hangs, drips, throttles or answers garbage: unknown, in time, and quiet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from closewatch.core.checks import Cancelled, Task, Verdict
from closewatch.core.deadline import Deadline
from closewatch.core.targets import Target
from closewatch.kinds import load
from tests.server.backups.test_s3_bad_days import SECRET, cut_off, drip, error, garbage, half, hang, stand_in, target

__all__ = ["stand_in", "target"]

pytestmark = pytest.mark.server


def look(path: Path, settings: dict, limit: float, stop: threading.Event | None = None) -> Verdict:
    (path / "c.yml").write_text(
        yaml.safe_dump(
            {"environment": "test", "records": {"path": "records.db"}, "targets": [{**settings, "posture": {}}]}
        )
    )
    (one,) = load(path / "c.yml").targets
    (check,) = one.checks()
    watched = Target.of("backups", "acme", environment="test", settings=one)
    return check.run(Task(watched, (), Deadline.after(limit), stop or threading.Event()))


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [
        (hang, {"timeout"}),
        (drip, {"timeout"}),
        (half, {"connection_lost", "server_error", "timeout"}),
        (garbage, {"invalid_answer", "server_error", "timeout"}),
        (cut_off, {"connection_lost", "timeout"}),
        (error(503, "SlowDown"), {"throttled", "timeout"}),
        (error(403, "AccessDenied"), {"permission"}),
        (error(403, "RequestTimeTooSkewed"), {"clock"}),
        (error(404, "NoSuchBucket"), {"not_found"}),
        (error(301, "PermanentRedirect"), {"not_found"}),
        (error(501, "NotImplemented"), {"server_error"}),
    ],
)
def test_answers_that_are_none(stand_in, target, tmp_path: Path, answer: Callable, reasons: set[str], caplog):
    began = time.monotonic()
    verdict = look(tmp_path, target(stand_in(answer).url), 6.0)
    assert verdict.result.value == "unknown"
    assert verdict.reason in reasons
    assert time.monotonic() - began < 7.5
    assert "facts" not in verdict.payload
    assert "bucket of acme" not in caplog.text + str(verdict.payload)
    assert SECRET not in caplog.text + str(verdict.payload)


def test_it_stops_when_told(stand_in, target, tmp_path: Path):
    stop = threading.Event()
    stop.set()
    server = stand_in(hang)
    with pytest.raises(Cancelled):
        look(tmp_path, target(server.url), 30.0, stop)
    assert server.requests == 0
