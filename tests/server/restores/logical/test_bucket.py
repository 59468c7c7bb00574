"""Dumps out of a bucket on a real S3 server."""

from __future__ import annotations

from pathlib import Path

import pytest

from closewatch.core.secrets import Secret
from closewatch.restores.origins.dump import TYPES, Dump
from closewatch.restores.origins.files import Files
from closewatch.restores.why import Failed, Why
from closewatch.sources.s3.bucket import Access, Bucket
from tests.fixtures.s3 import S3Server
from tests.server.restores.logical.conftest import FINGERPRINT, Place, Source

pytestmark = pytest.mark.server


def origin(s3_server: S3Server, prefix: str, pattern: str = "*") -> Dump:
    secret = Secret(file=s3_server.secret("reader"))
    access = Access("backups", prefix, s3_server.url, "us-east-1", "reader", secret, path_style=True)
    return Dump(Files(Bucket(access, pattern), TYPES), "acme")


@pytest.mark.parametrize("form", ["custom", "plain", "directory"])
def test_out_of_a_bucket(s3_server: S3Server, acme: Source, place: Place, tmp_path: Path, form: str) -> None:
    made = acme.dump(tmp_path / "acme", f"-F{form[0]}")
    prefix, client = f"restored-{form}-{acme.server.major}/", s3_server.client()
    for path in made.iterdir() if made.is_dir() else [made]:
        key = f"acme/{path.name}" if made.is_dir() else "acme.dump"
        client.put_object(Bucket="backups", Key=prefix + key, Body=path.read_bytes())
    at = origin(s3_server, prefix)
    backup = at.fetch(at.backups(place.scratch)[0], place.scratch)
    assert backup.about["format"] == form
    at.load(backup, place.server(backup.major), place.database("bucket"), place.scratch)
    assert place.row("bucket", FINGERPRINT) == acme.fingerprint
    at.files.store.close()
    client.close()


def test_an_object_that_is_replaced_meanwhile(s3_server: S3Server, acme: Source, place: Place, tmp_path: Path) -> None:
    prefix, client = f"replaced-{acme.server.major}/", s3_server.client()
    data = acme.dump(tmp_path / "acme", "-Fc").read_bytes()
    client.put_object(Bucket="backups", Key=prefix + "a", Body=data)
    at = origin(s3_server, prefix)
    chosen = at.backups(place.scratch)[0]
    client.put_object(Bucket="backups", Key=prefix + "a", Body=b"x" * len(data))
    with pytest.raises(Failed) as failed:
        at.fetch(chosen, place.scratch)
    assert failed.value.why is Why.UNREADABLE
    at.files.store.close()
    client.close()


def test_no_such_bucket_or_right(s3_server: S3Server, place: Place) -> None:
    access = Access(
        "other", "", s3_server.url, "us-east-1", "reader", Secret(file=s3_server.secret("reader")), path_style=True
    )
    at = Dump(Files(Bucket(access, "*"), TYPES))
    with pytest.raises(Failed) as failed:
        at.backups(place.scratch)
    assert failed.value.why is Why.UNREADABLE
    at.files.store.close()
