"""Sabotage of buckets: what an attacker does before the ransom note, on a real S3 server with locks and versions.

Each case makes a healthy bucket, lets the check `posture` look at it once, does the harm, and lets it look again: the
sign that it then tells must be the right one. What is weak, and no event, is told by the facts that the metrics show.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from closewatch.drill.cases import PASSED
from closewatch.engines.folder import RunFolder
from closewatch.engines.s3 import ADMIN, S3Server

DAYS = 35
OBJECTS = 15
LOCK_SECONDS = 5
_numbers = itertools.count(1)
PUBLIC = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"]}


class Bucket:
    """A bucket as it should be: versions, a lock by default, and half a month of backups."""

    def __init__(self, server: S3Server, *, lock: bool = True) -> None:
        self.name = f"drill{next(_numbers)}"
        self.client = server.client()
        self.settings = server.place(ADMIN, self.name)
        more = {"ObjectLockEnabledForBucket": True} if lock else {}
        self.client.create_bucket(Bucket=self.name, **more)
        if lock:
            self.default("COMPLIANCE", DAYS)
        else:
            self.versions("Enabled")
        for number in range(OBJECTS):
            self.put(f"day-{number:02}.dump")

    def put(self, name: str, body: bytes = b"a backup", **more: Any) -> None:
        """One more object."""
        self.client.put_object(Bucket=self.name, Key=name, Body=body, **more)

    def delete(self, *names: str) -> None:
        """Objects, as far as they are seen: where there are versions, these stay behind a delete marker."""
        for name in names:
            self.client.delete_object(Bucket=self.name, Key=name)

    def versions(self, status: str) -> None:
        """Enabled or Suspended."""
        self.client.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": status})

    def default(self, mode: str, days: int) -> None:
        """The lock that new objects get."""
        rule = {"Rule": {"DefaultRetention": {"Mode": mode, "Days": days}}}
        self.client.put_object_lock_configuration(
            Bucket=self.name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", **rule}
        )

    def publish(self) -> None:
        """Let everybody read."""
        arns = [f"arn:aws:s3:::{self.name}", f"arn:aws:s3:::{self.name}/*"]
        policy = {"Version": "2012-10-17", "Statement": [{**PUBLIC, "Resource": arns}]}
        self.client.put_bucket_policy(Bucket=self.name, Policy=json.dumps(policy))

    def expire(self, days: int) -> None:
        """Delete what is older."""
        rule = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": days}}
        self.client.put_bucket_lifecycle_configuration(Bucket=self.name, LifecycleConfiguration={"Rules": [rule]})


@dataclass(frozen=True, slots=True)
class BucketCase:
    """`expected` is a sign of tampering, a fact (public, lock_expired), or PASSED."""

    name: str
    expected: str
    harm: Callable[[Bucket], None]
    lock: bool = False


def _let_expire(bucket: Bucket) -> None:
    time.sleep(1.1)  # a bucket's times are whole seconds, and these must be the newest
    until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=LOCK_SECONDS)
    for number in range(3):
        bucket.put(f"night-{number}.dump", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)
    time.sleep(LOCK_SECONDS + 1)


def _life(bucket: Bucket) -> None:
    """A day in the life of a bucket: new ones, a copy onto itself, something under way that goes again."""
    bucket.put("day-15.dump")
    bucket.put("day-16.dump.part")
    bucket.delete("day-16.dump.part")
    bucket.put("day-03.dump")


CASES = (
    BucketCase("healthy: a day in the life of a bucket", PASSED, _life),
    BucketCase("healthy: the same with an object lock", PASSED, lambda bucket: bucket.put("day-15.dump"), lock=True),
    BucketCase("an object lock that has expired", "lock_expired", _let_expire, lock=True),
    BucketCase(
        "an object lock that is shortened", "retention_shortened", lambda b: b.default("COMPLIANCE", 3), lock=True
    ),
    BucketCase("an object lock that is weakened", "lock_weakened", lambda b: b.default("GOVERNANCE", DAYS), lock=True),
    BucketCase("versioning suspended", "versioning_weakened", lambda bucket: bucket.versions("Suspended")),
    BucketCase("a bucket made public", "public", lambda bucket: bucket.publish()),
    BucketCase("an object overwritten", "changed", lambda bucket: bucket.put("day-03.dump", b"A BACKUP")),
    BucketCase("an object deleted before its time", "gone", lambda bucket: bucket.delete("day-03.dump")),
    BucketCase(
        "many objects deleted at once",
        "delete_burst",
        lambda bucket: bucket.delete(*(f"day-{number:02}.dump" for number in range(12))),
    ),
    BucketCase("a lifecycle rule that deletes", "lifecycle_added", lambda bucket: bucket.expire(1)),
)


class Buckets:
    """The S3 server of a drill."""

    def __init__(self, run: RunFolder) -> None:
        self._server = S3Server(run).start()

    def make(self, case: BucketCase) -> Bucket:
        """A healthy bucket for a case."""
        return Bucket(self._server, lock=case.lock)


def target(bucket: Bucket) -> dict[str, Any]:
    """The settings of a target that watches it."""
    return {"s3": bucket.settings, "posture": {"retention": DAYS}}


def told(payload: Mapping[str, Any], reason: str | None) -> set[str]:
    """What the newest look says: signs of tampering, and facts that a rule would alert on."""
    found = {str(one["sign"]) for one in payload.get("signs", ())}
    facts = payload.get("facts", {})
    if facts.get("public"):
        found.add("public")
    if facts.get("lock") and facts.get("newest_locked") is False:
        found.add("lock_expired")
    return found or {reason or PASSED}
