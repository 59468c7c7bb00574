"""A bucket's posture and tampering on a real S3 server: what an attacker would do, and what nobody may do."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.s3 import S3Server
from tests.server.backups.watched_bucket import Bucket, bucket

__all__ = ["bucket"]
pytestmark = pytest.mark.server
PUBLIC = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"]}


def test_a_bucket_as_it_should_be(bucket: Callable[..., Bucket]):
    safe = bucket(lock=True)
    safe.default("COMPLIANCE", 35)
    safe.put("a.dump", "b.dump", "c.dump")
    assert safe.signs() == set()
    assert safe.signs() == set()
    metrics = safe.metrics()
    assert metrics["bucket_object_lock_enabled"] == 1
    assert metrics["bucket_object_lock_days"] == 35
    assert metrics["bucket_object_lock_compliance"] == 1
    assert metrics["bucket_versioning_enabled"] == 1
    assert metrics["bucket_public"] == 0
    assert metrics["bucket_lifecycle_contradictions"] == 0
    assert metrics["bucket_retained_until_timestamp_seconds"] == pytest.approx(time.time() + 35 * 86_400, abs=120)
    assert metrics["bucket_answer_unknown:block"] == 1  # this server doesn't know the question
    assert {value for name, value in metrics.items() if "tampering" in name} == {0}


def test_a_bucket_that_protects_nothing(bucket: Callable[..., Bucket]):
    weak = bucket()
    weak.put("a.dump")
    weak.client.create_multipart_upload(Bucket=weak.name, Key="big.dump")
    assert weak.check().reason is None  # weak, and no sign of tampering
    metrics = weak.metrics()
    assert [metrics[f"bucket_{name}"] for name in ("object_lock_enabled", "versioning_enabled", "encrypted")] == [0] * 3
    assert metrics["bucket_incomplete_uploads"] == 1
    assert metrics["bucket_replicated"] == 0
    assert "bucket_retained_until_timestamp_seconds" not in metrics


def versioned(bucket: Callable[..., Bucket]) -> Bucket:
    one = bucket()
    one.client.put_bucket_versioning(Bucket=one.name, VersioningConfiguration={"Status": "Enabled"})
    one.put(*[f"day-{number:02}.dump" for number in range(15)])
    assert one.signs() == set()
    return one


def suspend(one: Bucket) -> None:
    one.client.put_bucket_versioning(Bucket=one.name, VersioningConfiguration={"Status": "Suspended"})


def expire(one: Bucket) -> None:
    rule = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    one.client.put_bucket_lifecycle_configuration(Bucket=one.name, LifecycleConfiguration={"Rules": [rule]})


@pytest.mark.parametrize(
    ("harm", "signs"),
    [
        (suspend, {"versioning_weakened"}),
        (expire, {"lifecycle_added"}),
        (lambda one: one.put("day-03.dump", body=b"another, of ransom"), {"changed"}),
        (lambda one: one.put("day-03.dump", body=b"A BACKUP"), {"changed"}),
        (lambda one: one.delete("day-03.dump"), {"gone"}),
        (lambda one: one.delete(*[f"day-{number:02}.dump" for number in range(12)]), {"gone", "delete_burst"}),
    ],
)
def test_tampering_is_an_event(bucket: Callable[..., Bucket], harm: Callable[[Bucket], None], signs: set[str]):
    one = versioned(bucket)
    harm(one)
    assert one.signs() == signs
    assert one.signs() == set()
    metrics = one.metrics()
    for sign in signs:
        seen = metrics[f"backup_tampering_last_seen_timestamp_seconds:{sign}"]
        assert seen == pytest.approx(time.time(), abs=60)


def test_the_usual_life_of_a_bucket_is_no_sign(bucket: Callable[..., Bucket]):
    one = versioned(bucket)
    one.put("day-15.dump", "latest.dump", "day-16.dump.part")
    one.put("latest.dump", body=b"tomorrow's")
    one.put("day-03.dump")  # the same once more
    one.delete("day-16.dump.part")
    one.client.copy_object(Bucket=one.name, Key="day-04.dump", CopySource=f"{one.name}/day-04.dump")
    assert one.signs() == set()


def test_a_lock_is_weakened(bucket: Callable[..., Bucket]):
    one = bucket(lock=True)
    one.default("COMPLIANCE", 35)
    one.put("a.dump")
    one.check()
    one.default("GOVERNANCE", 35)
    assert one.signs() == {"lock_weakened"}
    one.default("GOVERNANCE", 7)
    assert one.signs() == {"retention_shortened"}
    assert "lock_shorter" in one.records[0].payload["facts"]["contradictions"]
    one.default(None)
    assert one.signs() == {"lock_weakened"}
    assert one.metrics()["bucket_object_lock_days"] == 0


def test_an_object_lock_that_expires(bucket: Callable[..., Bucket]):
    one = bucket(lock=True)
    until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=4)
    one.put("a.dump", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)
    one.check()
    assert one.records[0].payload["facts"]["newest_locked"] is True
    deadline = time.monotonic() + 20
    while one.records[0].payload["facts"]["newest_locked"]:
        assert time.monotonic() < deadline
        time.sleep(0.5)
        assert one.signs() == set()
    assert one.metrics()["bucket_retained_until_timestamp_seconds"] == pytest.approx(until.timestamp(), abs=1)


def test_the_lock_of_one_object_is_shortened(bucket: Callable[..., Bucket]):
    one = bucket(lock=True)
    now = dt.datetime.now(dt.UTC)
    one.put("a.dump", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=now + dt.timedelta(days=30))
    one.check()
    one.client.put_object_retention(
        Bucket=one.name,
        Key="a.dump",
        BypassGovernanceRetention=True,
        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": now + dt.timedelta(days=1)},
    )
    assert one.signs() == {"retention_shortened"}


def test_a_bucket_is_made_public_by_policy(bucket: Callable[..., Bucket]):
    one = bucket()
    one.put("a.dump")
    one.check()
    assert one.metrics()["bucket_public"] == 0
    arns = [f"arn:aws:s3:::{one.name}", f"arn:aws:s3:::{one.name}/*"]
    policy = {"Version": "2012-10-17", "Statement": [{**PUBLIC, "Resource": arns}]}
    one.client.put_bucket_policy(Bucket=one.name, Policy=json.dumps(policy))
    one.check()
    assert one.metrics()["bucket_public"] == 1


def test_a_bucket_is_made_public_by_acl(bucket: Callable[..., Bucket]):
    """This server says that ACLs are off, and honours them: what a stranger is given decides."""
    one = bucket()
    one.put("a.dump")
    one.client.put_bucket_acl(Bucket=one.name, ACL="public-read")
    one.check()
    assert one.metrics()["bucket_public"] == 1
    assert one.records[0].payload["answers"]["outside"] == "told"


def test_lifecycle_that_contradicts(bucket: Callable[..., Bucket]):
    one = bucket()
    one.put("a.dump")
    expire(one)
    one.check()
    assert one.metrics()["bucket_lifecycle_contradictions"] == 1


def test_what_is_denied_is_not_known(s3_server: S3Server, bucket: Callable[..., Bucket]):
    """`lister` may list this one bucket, and nothing else of it."""
    one = bucket()
    prefix = f"{one.name}/"
    s3_server.client().put_object(Bucket="backups", Key=prefix + "a.dump", Body=b"x")
    verdict = one.check(user="lister", bucket="backups", prefix=prefix)
    assert verdict.reason is None
    metrics = one.metrics()
    assert verdict.payload["answers"]["lock"] == "denied"
    assert metrics["bucket_answer_unknown:lock"] == 1
    assert "bucket_object_lock_enabled" not in metrics
    assert "bucket_encrypted" not in metrics


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"user": "stranger"}, "permission"),
        ({"access_key": "nobody"}, "authentication"),
        ({"secret_key": {"file": "no-such-file"}}, "secret"),
        ({"bucket": "no-such-bucket"}, "not_found"),
        ({"endpoint": "http://127.0.0.1:9"}, "refused"),
    ],
)
def test_what_cannot_be_asked_is_unknown_and_keeps_the_comparison(
    bucket: Callable[..., Bucket], more: dict[str, Any], reason: str
):
    one = versioned(bucket)
    suspend(one)
    one.signs()
    one.delete("day-03.dump")
    same_place = "bucket" not in more and "endpoint" not in more
    verdict = one.check(**more)
    assert (verdict.result.value, verdict.reason) == ("unknown", reason)
    assert ("backup_tampering_last_seen_timestamp_seconds:gone" in one.metrics()) or not same_place
    assert "bucket_versioning_enabled" not in one.metrics()
    assert one.signs() == {"gone"}


def test_a_long_listing_is_gone_through_part_by_part(bucket: Callable[..., Bucket], monkeypatch: pytest.MonkeyPatch):
    from closewatch.sources.s3 import objects

    monkeypatch.setattr(objects, "PAGES", 1)
    one = bucket()
    one.put(*[f"{number:04}.dump" for number in range(1010)])
    for _ in range(3):
        assert one.signs() == set()
    one.delete("0500.dump")
    found = [one.signs() for _ in range(2)]
    assert {"gone"} in found
    assert one.signs() == set()


def test_pgbackrests_catalogue_tells_expiry(bucket: Callable[..., Bucket]):
    one = bucket()
    one.more = {"layout": "pgbackrest", "retention": 1}
    labels = ["20260101-020000F", "20260101-020000F_20260102-020000I", "20260108-020000F"]

    def catalogue(*listed: str) -> None:
        lines = ["[backrest]", "backrest-format=5", "", "[backup:current]", *[f"{label}={{}}" for label in listed]]
        one.put("backup/main/backup.info", "backup/main/backup.info.copy", body="\n".join([*lines, ""]).encode())

    one.put(*[f"backup/main/{label}/backup.manifest" for label in labels])
    one.put(*[f"backup/main/{label}/pg_data/base/1/1" for label in labels], "archive/main/archive.info")
    catalogue(*labels)
    assert one.signs() == set()
    assert len(one.records[0].payload["base"]["objects"]) == 3
    catalogue(*labels)  # rewritten at each run
    one.put("archive/main/archive.info", body=b"another")
    assert one.signs() == set()
    one.delete(f"backup/main/{labels[1]}/backup.manifest", f"backup/main/{labels[1]}/pg_data/base/1/1")
    assert one.signs() == {"gone"}


def test_restics_packs_and_index_may_be_rewritten(bucket: Callable[..., Bucket]):
    one = bucket()
    one.more = {"layout": "restic"}
    names = {kind: f"{kind}/{number:064x}" for number, kind in enumerate(("keys", "snapshots", "index", "locks"))}
    one.put("config", "data/00/" + "0" * 64, *names.values())
    assert one.signs() == set()
    one.delete("data/00/" + "0" * 64, names["index"], names["locks"])
    assert one.signs() == set()
    one.delete(names["keys"])
    assert one.signs() == {"gone"}


def test_a_look_costs_a_known_number_of_requests(bucket: Callable[..., Bucket], monkeypatch: pytest.MonkeyPatch):
    from botocore.httpsession import URLLib3Session

    one = bucket(lock=True)
    one.default("GOVERNANCE", 7)
    one.put(*[f"{number}.dump" for number in range(8)])
    sent: list[str] = []
    send = URLLib3Session.send

    def counted(self: Any, request: Any) -> Any:
        sent.append(request.method)
        return send(self, request)

    monkeypatch.setattr(URLLib3Session, "send", counted)
    one.check()
    one.check()
    assert 10 < len(sent) / 2 <= 30 + 1
    assert set(sent) <= {"GET", "HEAD"}
