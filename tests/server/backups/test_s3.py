"""A bucket on a real S3 server: the same dumps, rights that are missing, and many names."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from closewatch.core.deadline import Deadline
from closewatch.core.secrets import Secret
from closewatch.sources.s3.bucket import Access, Bucket
from tests.fixtures.s3 import S3Server
from tests.fixtures.watch import Watched
from tests.server.backups.conftest import Dumps
from tests.unit.backups.reading import odoo_zip, tarball

pytestmark = pytest.mark.server
Watching = Callable[..., Watched]
SUCCESS = "backup_last_success_timestamp_seconds"
_numbers = itertools.count(1)


@pytest.fixture
def prefix() -> str:
    """A prefix of the test's own."""
    return f"test{next(_numbers)}/"


def target(server: S3Server, prefix: str, user: str = "reader", **more: Any) -> dict[str, Any]:
    return {"kind": "backups", "name": "acme", "s3": server.target(user, prefix=prefix, **more)}


def put(server: S3Server, prefix: str, files: dict[str, bytes]) -> None:
    client = server.client()
    for name, data in files.items():
        client.put_object(Bucket="backups", Key=prefix + name, Body=data)
    client.close()


def test_dumps_in_a_bucket(dumps: Dumps, s3_server: S3Server, watching: Watching, prefix: str):
    files = {name: (dumps.folder / name).read_bytes() for name in ("custom.dump", "tar.tar", "plain.sql", "piped.dump")}
    files |= {f"folder/{path.name}": path.read_bytes() for path in (dumps.folder / "folder").iterdir()}
    put(s3_server, prefix, files)
    facts = watching(target(s3_server, prefix)).ask("acme")
    assert facts.failing == {}
    assert facts.one("backup_seen", state="good") == 5
    assert facts.one("backup_seen", state="bad") == 0
    assert facts.one(SUCCESS, type="dump") == pytest.approx(time.time(), abs=60)
    assert facts.one("backup_listing_truncated") == 0


def test_what_is_cut_is_bad_at_once(dumps: Dumps, s3_server: S3Server, watching: Watching, prefix: str):
    data = (dumps.folder / "custom.dump").read_bytes()
    put(s3_server, prefix, {"a.dump": data, "b.dump": data[:-1000], "c.zip": odoo_zip()[:-30], "d.tar": tarball()})
    facts = watching(target(s3_server, prefix)).ask("acme")
    assert facts.one("backup_seen", state="bad") == 2
    assert facts.one("backup_seen", state="good") == 2


def test_a_pattern_and_other_tenants(s3_server: S3Server, watching: Watching, prefix: str):
    put(s3_server, prefix, {"2026/acme-1.zip": odoo_zip(), "2026/other-1.zip": odoo_zip(), "acme.zip": odoo_zip()})
    facts = watching(target(s3_server, prefix, pattern="*/acme-*.zip")).ask("acme")
    assert facts.one("backup_seen", state="good") == 1


def test_an_empty_prefix_is_a_place_without_backups(s3_server: S3Server, watching: Watching):
    facts = watching(target(s3_server, "nothing-here/")).ask("acme")
    assert facts.up
    assert facts.all(SUCCESS) == []


def test_encrypted_files_need_no_right_to_read(s3_server: S3Server, watching: Watching, prefix: str):
    put(s3_server, prefix, {"acme.dump.gpg": b"\x85\x02" + b"x" * 500, "empty.gpg": b""})
    facts = watching(target(s3_server, prefix, user="lister", content="opaque")).ask("acme")
    assert facts.one("backup_size_bytes", type="opaque") == 502
    assert facts.one("backup_completeness_known", type="opaque") == 0
    assert facts.labels("backup_last_failure_timestamp_seconds", "reason") == ["empty"]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"user": "lister"}, "permission"),
        ({"user": "stranger"}, "permission"),
        ({"access_key": "nobody"}, "authentication"),
        ({"secret_key": {"file": "password"}}, "authentication"),
        ({"secret_key": {"file": "no-such-file"}}, "secret"),
        ({"user": "admin", "bucket": "no-such-bucket"}, "not_found"),
        ({"endpoint": "http://127.0.0.1:9"}, "refused"),
    ],
)
def test_what_is_refused(
    s3_server: S3Server, watching: Watching, prefix: str, more: dict[str, Any], reason: str, caplog
):
    put(s3_server, prefix, {"acme.zip": odoo_zip()})
    facts = watching(target(s3_server, prefix, **more)).ask("acme")
    assert facts.reason == reason
    assert facts.all(SUCCESS) == []
    assert prefix not in caplog.text


def test_tls_where_there_is_none(s3_server: S3Server, watching: Watching, prefix: str):
    facts = watching(target(s3_server, prefix, endpoint=s3_server.url.replace("http:", "https:"))).ask("acme")
    assert facts.reason == "tls"


def test_many_names_in_the_order_of_time(s3_server: S3Server, tmp_path: Path):
    client = s3_server.client()
    with ThreadPoolExecutor(4) as threads:
        names = [f"many/{number:06}.dump" for number in range(1200)]
        list(threads.map(lambda name: client.put_object(Bucket="backups", Key=name, Body=b"x"), names))
    secret = Secret(file=s3_server.secret("reader"))
    access = Access("backups", "many/", s3_server.url, "us-east-1", "reader", secret, path_style=True)
    bucket = Bucket(access, "*.dump", pages=1)
    first = bucket.list(Deadline.after(20))
    assert (first.total, first.truncated) == (1000, True)
    bucket.list(Deadline.after(20))  # goes on to the end
    client.put_object(Bucket="backups", Key="many/001200.dump", Body=b"x")
    third = bucket.list(Deadline.after(20))
    assert (third.total, third.truncated, third.entries[0].name) == (1201, False, "001200.dump")
    whole = Bucket(access, "*.dump").list(Deadline.after(20))
    assert (whole.total, whole.truncated) == (1201, False)
    bucket.close()
    client.close()
