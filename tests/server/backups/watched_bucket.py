"""A bucket of a test's own on a real S3 server, with the check `posture` on it and the records that it leaves."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from closewatch.backups.bucket import BUCKET
from closewatch.core.checks import Task, Verdict
from closewatch.core.collectors import Answer
from closewatch.core.deadline import Deadline
from closewatch.core.records import Record
from closewatch.core.targets import Target
from closewatch.kinds import load
from tests.fixtures.s3 import S3Server

_numbers = itertools.count(1)


def kept(verdict: Verdict) -> Record:
    """As the store would give it back: through JSON, with no float in it."""

    def no_float(text: str) -> Any:
        raise AssertionError(f"a float in a payload: {text}")

    payload = json.dumps(verdict.payload)
    json.loads(payload, parse_float=no_float)
    return Record(json.dumps({"result": verdict.result.value, "reason": verdict.reason}), payload)


class Bucket:
    """A bucket of the test's own, the check on it, and its records, the newest first."""

    def __init__(self, server: S3Server, folder: Any, name: str, *, lock: bool) -> None:
        self.server, self.folder, self.name = server, folder, name
        self.client = server.client()
        self.client.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if lock else {}))
        self.records: list[Record] = []
        self.requests = 0
        self.more: dict[str, Any] = {}

    def put(self, *names: str, body: bytes = b"a backup", **more: Any) -> None:
        for name in names:
            self.client.put_object(Bucket=self.name, Key=name, Body=body, **more)

    def delete(self, *names: str) -> None:
        for name in names:
            self.client.delete_object(Bucket=self.name, Key=name)

    def default(self, mode: str | None, days: int = 0) -> None:
        rule = {"Rule": {"DefaultRetention": {"Mode": mode, "Days": days}}} if mode else {}
        configuration = {"ObjectLockEnabled": "Enabled", **rule}
        self.client.put_object_lock_configuration(Bucket=self.name, ObjectLockConfiguration=configuration)

    def check(self, user: str = "admin", limit: float = 60.0, **more: Any) -> Verdict:
        """Run the check, and keep what it says."""
        place = {**self.server.target(user), "bucket": self.name, **more}
        posture = {"retention": 35, **self.more}
        target = {"kind": "backups", "name": "acme", "s3": place, "posture": posture}
        path = self.folder / f"{next(_numbers)}.yml"
        path.write_text(yaml.safe_dump({"environment": "test", "records": {"path": "records.db"}, "targets": [target]}))
        (settings,) = load(path).targets
        (check,) = settings.checks()
        watched = Target.of("backups", "acme", environment="test", settings=settings)
        verdict = check.run(Task(watched, self.records[: check.history], Deadline.after(limit)))
        self.records.insert(0, kept(verdict))
        return verdict

    def signs(self, **more: Any) -> set[str]:
        """The signs of a look now."""
        verdict = self.check(**more)
        found = {one["sign"] for one in verdict.payload["signs"]}
        assert (verdict.reason == "tampering") == bool(found)
        return found

    def metrics(self) -> dict[str, float]:
        """What a scrape shows of the newest record."""
        answer = Answer({"newest": [{"payload": self.records[0].payload}], "passed": []})
        target = Target.of("backups", "acme", environment="test")
        return {
            sample.family.name.removeprefix("closewatch_") + "".join(f":{one}" for one in sample.labels): sample.value
            for sample in BUCKET.read(answer, target, {})
            if sample.value is not None
        }


@pytest.fixture
def bucket(s3_server: S3Server, tmp_path: Any) -> Iterator[Callable[..., Bucket]]:
    made: list[Bucket] = []

    def make(*, lock: bool = False) -> Bucket:
        made.append(Bucket(s3_server, tmp_path, f"posture{next(_numbers)}-{time.time_ns()}", lock=lock))
        return made[-1]

    yield make
    for one in made:
        one.client.close()
