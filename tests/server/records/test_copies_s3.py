"""Copies of the signed heads in a real bucket with object lock."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from closewatch.cli import main
from closewatch.core.records.copies import bring_up_to_date
from closewatch.core.records.heads import new_key, sign_due
from closewatch.core.records.sqlite import SqliteStore
from closewatch.records.settings import CopySettings
from tests.fixtures.s3 import S3Server
from tests.server.records.stores import add

PRIVATE, PUBLIC = new_key()
_numbers = itertools.count(1)
Bucket = Callable[..., dict[str, Any]]


def noon(day: int) -> dt.datetime:
    return dt.datetime(2026, 11, day, 12, tzinfo=dt.UTC)


@pytest.fixture
def store(tmp_path: Path):
    opened = SqliteStore(tmp_path / "records.db")
    for number in range(1, 4):
        add(opened, float(number))
        sign_due(opened, PRIVATE, noon(number))
    yield opened
    opened.close()


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    """Makes a bucket; gives the settings of a copy in it."""

    def make(*, lock: bool = True, default: int | None = None, **more: Any) -> dict[str, Any]:
        name = f"heads{next(_numbers)}"
        client = s3_server.client()
        client.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if lock else {}))
        if default is not None:
            rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": default}}
            lock_rule = {"ObjectLockEnabled": "Enabled", "Rule": rule}
            client.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock_rule)
        client.close()
        return s3_server.place("admin", name, prefix="closewatch/", **more)

    return make


def copy_of(s3: dict[str, Any]) -> CopySettings:
    return CopySettings.model_validate({"name": "worm", "s3": s3})


@pytest.mark.parametrize(("default", "more"), [(30, {}), (None, {"lock_days": 30})])
def test_copies_are_locked_complete_and_never_overwritten(store, bucket: Bucket, s3_server: S3Server, default, more):
    s3 = bucket(default=default, **more)
    copy = copy_of(s3)
    assert bring_up_to_date(store, {"worm": copy.make}) == {}
    assert copy.heads() == store.heads()
    client = s3_server.client()
    where = {"Bucket": s3["bucket"], "Key": "closewatch/2026-11-01.json"}
    until = client.get_object_retention(**where)["Retention"]
    assert until["Mode"] == "COMPLIANCE"
    assert dt.timedelta(days=29) < until["RetainUntilDate"] - dt.datetime.now(dt.UTC) < dt.timedelta(days=31)
    version = client.list_object_versions(Bucket=s3["bucket"], Prefix=where["Key"])["Versions"][0]["VersionId"]
    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.delete_object(**where, VersionId=version)
    # Whoever may write there may put something over it, or a delete marker; what was there first counts.
    client.put_object(**where, Body=b"{}")
    client.delete_object(Bucket=s3["bucket"], Key="closewatch/2026-11-02.json")
    assert copy.heads()[0] == store.heads()[0]
    assert len(copy.heads()) == 3
    client.close()
    store.copied("worm", "2026-10-30")
    assert bring_up_to_date(store, {"worm": copy.make}) == {}, "a second time is no harm"


def test_another_document_of_a_day_is_not_put_over_it(store, bucket: Bucket, s3_server: S3Server):
    s3 = bucket(default=30)
    client = s3_server.client()
    client.put_object(Bucket=s3["bucket"], Key="closewatch/2026-10-31.json", Body=b"{}")
    client.close()
    failed = bring_up_to_date(store, {"worm": copy_of(s3).make})
    assert failed == {"worm": "2026-10-31.json is there already, and is another"}
    assert store.copies() == {}


@pytest.mark.parametrize("lock", [True, False])
def test_a_copy_that_is_not_locked_does_not_count_unless_that_is_accepted(store, bucket: Bucket, lock: bool):
    s3 = bucket(lock=lock)
    failed = bring_up_to_date(store, {"worm": copy_of(s3).make})
    assert failed == {
        "worm": "2026-10-31.json is written, but not locked: set lock_days, or give the bucket a default retention"
    }
    assert store.copies() == {}
    assert bring_up_to_date(store, {"worm": copy_of({**s3, "locked": False}).make}) == {}


def test_faults_are_told_without_secrets(store, bucket: Bucket, s3_server: S3Server, tmp_path: Path):
    s3 = bucket(default=30)
    wrong = tmp_path / "wrong"
    wrong.write_text("never-to-be-seen")
    gone = {**s3, "bucket": "no-such-bucket"}
    refused = {**s3, "endpoint": "http://127.0.0.1:1"}
    for broken, words in (
        ({**s3, "secret_key": {"file": str(wrong)}}, "S3 answered"),
        (gone, "S3 answered"),
        (refused, "refused"),
    ):
        failed = bring_up_to_date(store, {"worm": copy_of(broken).make})
        assert words in failed["worm"]
        assert "never-to-be-seen" not in failed["worm"]
    weak = {**s3, "access_key": "lister", "secret_key": {"file": str(s3_server.secret("lister"))}}
    assert "permission" in bring_up_to_date(store, {"worm": copy_of(weak).make})["worm"]
    assert store.copies() == {}


def test_records_are_verified_by_the_copy_in_the_bucket(store, bucket: Bucket, tmp_path: Path):
    s3 = bucket(default=30)
    assert bring_up_to_date(store, {"worm": copy_of(s3).make}) == {}
    (tmp_path / "key.pub").write_text(PUBLIC)
    records = {"path": str(store.path), "copies": [{"name": "worm", "s3": s3}]}
    (tmp_path / "c.yml").write_text(yaml.safe_dump({"environment": "test", "targets": [], "records": records}))
    command = ["records", "verify", "-c", str(tmp_path / "c.yml"), "--public-key", str(tmp_path / "key.pub"), "--copy"]
    done = CliRunner().invoke(main, [*command, "worm"])
    assert (done.exit_code, "3 days in the copy, all good" in done.output) == (0, True), done.output
    store._connection.execute("DROP TRIGGER head_stays")
    store._connection.execute("DELETE FROM head WHERE day = '2026-11-01'")
    done = CliRunner().invoke(main, [*command, "worm"])
    assert done.exit_code == 1
    assert "the heads of 2026-11-01 are in the copy, and in the store they are gone" in done.output
    done = CliRunner().invoke(main, [*command, "worn"])
    assert (done.exit_code, 'no copy has this name; did you mean "worm"?' in done.output) == (1, True), done.output
