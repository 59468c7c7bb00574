"""A cluster under write load, backed up and archived into a real bucket by Barman's own programs, and brought back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from closewatch.engines.binaries import find_postgres
from closewatch.engines.datafolder import write_settings
from closewatch.engines.folder import RunFolder
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.restores.origins.barmancloud import BarmanCloud
from closewatch.restores.places import OriginSettings
from closewatch.restores.run import no_hole
from closewatch.restores.scratch import Scratch
from closewatch.restores.why import Failed, Why
from tests.fixtures.archiving import _more, _rows, program
from tests.fixtures.s3 import S3Server
from tests.fixtures.servers import missing
from tests.server.restores.test_physical import assert_elsewhere, restored, rows

SCRIPT = """#!/bin/sh
export AWS_ACCESS_KEY_ID=admin AWS_SECRET_ACCESS_KEY={secret} AWS_DEFAULT_REGION=us-east-1 HOME={home}
exec "{program}" --endpoint-url={url} "$@"
"""


@dataclass
class Clouded:
    """What lies in the bucket `backups` below `cloud/`; rows n from 1 on, and when each was committed."""

    s3: S3Server
    moment: float
    commits: list[float]

    def origin(self, server: str = "main") -> BarmanCloud:
        place = self.s3.target(prefix="cloud")
        made = OriginSettings.model_validate({"barman_cloud": {"s3": place, "server": server}})
        assert made.physical
        assert made.barman_cloud is not None
        return made.barman_cloud.make()

    def names(self, server: str = "main") -> list[str]:
        pages = self.s3.client().get_paginator("list_objects_v2").paginate(Bucket="backups", Prefix=f"cloud/{server}/")
        return [one["Key"] for page in pages for one in page.get("Contents", ())]

    def copy(self, server: str, *without: str) -> None:
        """The same below the name of another server, without some names."""
        client = self.s3.client()
        for name in self.names():
            if not any(part in name for part in without):
                body = client.get_object(Bucket="backups", Key=name)["Body"].read()
                client.put_object(Bucket="backups", Key=name.replace("/main/", f"/{server}/", 1), Body=body)

    def change(self, server: str, end: str, how: Any) -> None:
        client = self.s3.client()
        (name,) = (one for one in self.names(server) if one.endswith(end))
        body = client.get_object(Bucket="backups", Key=name)["Body"].read()
        client.put_object(Bucket="backups", Key=name, Body=how(body))


@pytest.fixture(scope="module", params=["", "-z"], ids=["plain", "gzip"])
def clouded(
    request: pytest.FixtureRequest, run_folder: RunFolder, s3_server: S3Server, pytestconfig: pytest.Config
) -> Iterator[Clouded]:
    """Two backups, the segments archived one by one."""
    versions = [one for one in find_postgres() if one.major <= 15 and one.program("pg_basebackup")]
    tools = {name: program(name) for name in ("barman-cloud-backup", "barman-cloud-wal-archive")}
    if not versions or None in tools.values():
        missing(pytestconfig, "barman-cloud-backup, or a PostgreSQL that it knows, is not at hand")
    client = s3_server.client()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="backups", Prefix="cloud/"):
        for one in page.get("Contents", ()):
            client.delete_object(Bucket="backups", Key=one["Key"])
    packed = request.param
    name = f"clouded{packed}"
    home = run_folder.folder(name, private_to=run_folder.user)
    for each in ("socket", "space"):
        run_folder.folder(f"{name}/{each}", private_to=run_folder.user)
    server = PostgresServer.create(run_folder, versions[-1], f"{name}-data")
    secret = s3_server.secret("admin").read_text()
    for tool, path in tools.items():
        script = home / tool
        script.write_text(SCRIPT.format(secret=secret, home=home, program=path, url=s3_server.url))
        script.chmod(0o700)
        if run_folder.user:
            shutil.chown(script, run_folder.user)
    settings = {
        "archive_mode": "on",
        "archive_command": f"{home}/barman-cloud-wal-archive {packed} s3://backups/cloud main %p",
        "unix_socket_directories": f"{home}/socket",
        "track_commit_timestamp": "on",
        "autovacuum": "off",
    }
    write_settings(server.data, settings, run_folder.user)
    hba = server.data / "pg_hba.conf"
    hba.write_text("local all all trust\nlocal replication all trust\n" + hba.read_text())
    server.start()
    command = [f"{home}/barman-cloud-backup", "--immediate-checkpoint", "-h", f"{home}/socket", "-U", "postgres"]
    command += ["-p", str(server.port), *([packed] if packed else []), "s3://backups/cloud", "main"]
    try:
        moment, commits = _fill(server, home, lambda: run_folder.call(command, user=run_folder.user, timeout=120))
    finally:
        server.stop()
    yield Clouded(s3_server, moment, commits)
    server.remove()
    shutil.rmtree(home, ignore_errors=True)


def _fill(server: PostgresServer, home: Any, back_up: Any) -> tuple[float, list[float]]:
    server.create_database("books")
    server.sql("postgres", f"CREATE TABLESPACE extra LOCATION '{home / 'space'}'")
    server.sql("books", "CREATE TABLE elsewhere TABLESPACE extra AS SELECT generate_series(1, 100) AS n")
    server.sql("books", "CREATE TABLE tick (n serial PRIMARY KEY, at timestamptz, text text)")
    with _rows(server):
        done = back_up()
        assert done.returncode == 0, done.stderr + done.stdout
        _more(server, 30)
        moment = float(server.value("books", "SELECT extract(epoch FROM clock_timestamp())::float8"))
        for _ in range(3):
            _more(server, 20)
            server.sql("postgres", "SELECT pg_switch_wal()")
    last = server.value("postgres", "SELECT pg_walfile_name(pg_switch_wal())")
    asked = "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver"
    wait_until(lambda: server.value("postgres", asked) >= last, 60, "the last segment is archived")
    found = server.sql(
        "books", "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM tick ORDER BY n"
    )
    return moment, [at for (at,) in found]


def test_a_moment_brings_back_exactly_what_was_committed_until_then(clouded: Clouded, scratch: Scratch) -> None:
    expected = sum(at <= clouded.moment for at in clouded.commits)
    assert 0 < expected < len(clouded.commits)
    with restored(scratch, clouded.origin(), to=clouded.moment) as server:
        assert rows(server) == (expected, expected)
        assert_elsewhere(server, scratch)


def test_the_end_brings_back_all(clouded: Clouded, scratch: Scratch) -> None:
    origin = clouded.origin()
    with restored(scratch, origin) as server:
        assert rows(server) == (len(clouded.commits),) * 2
        no_hole(server, origin.newest_wal(scratch))
    (backup,) = origin.backups(scratch)
    assert backup.major is not None
    assert str(backup.about["system_identifier"]).isdecimal()
    window = origin.window(scratch)
    assert window is not None
    assert window.since == backup.done < clouded.moment
    assert window.until is not None
    assert window.until + 5 > clouded.commits[-1]


def test_a_segment_that_lacks_is_found(clouded: Clouded, scratch: Scratch) -> None:
    segments = [name for name in clouded.names() if "/wals/" in name]
    clouded.copy("hole", segments[-2].rpartition("/")[2])
    origin = clouded.origin("hole")
    with restored(scratch, origin) as server, pytest.raises(Failed) as failure:
        no_hole(server, origin.newest_wal(scratch))
    assert failure.value.why is Why.WAL_MISSING


def test_without_its_first_segment_nothing_is_restored(clouded: Clouded, scratch: Scratch) -> None:
    clouded.copy("begins", "/wals/")
    with pytest.raises(Failed) as failure, restored(scratch, clouded.origin("begins")):
        pass
    assert failure.value.why is Why.WAL_MISSING


def test_a_backup_that_failed_is_none(clouded: Clouded, scratch: Scratch) -> None:
    clouded.copy("failed", "/wals/")
    clouded.change("failed", "backup.info", lambda body: body.replace(b"status=DONE", b"status=FAILED"))
    with pytest.raises(Failed) as failure:
        clouded.origin("failed").backups(scratch)
    assert failure.value.why is Why.NO_BACKUP


@pytest.mark.parametrize("share", [3, 2])
def test_an_archive_cut_short_is_found(share: int, clouded: Clouded, scratch: Scratch) -> None:
    clouded.copy("cut")
    (name,) = (one for one in clouded.names("cut") if "/data.tar" in one)
    clouded.change("cut", name, lambda body: body[: len(body) * (share - 1) // share // 512 * 512])
    with pytest.raises(Failed) as failure, restored(scratch, clouded.origin("cut")):
        pass
    assert failure.value.why is Why.UNREADABLE


def test_a_bucket_without_rights_says_so(clouded: Clouded, scratch: Scratch) -> None:
    place = clouded.s3.target("stranger", prefix="cloud")
    made = OriginSettings.model_validate({"barman_cloud": {"s3": place, "server": "main"}}).barman_cloud
    assert made is not None
    with pytest.raises(Failed) as failure:
        made.make().backups(scratch)
    assert failure.value.why is Why.UNREADABLE
