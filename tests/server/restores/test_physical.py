"""A cluster under write load, brought back to a moment: exactly what was committed up to then is in it."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from closewatch.restores.origins.barman import Barman
from closewatch.restores.origins.base import Moment
from closewatch.restores.origins.basebackup import BaseBackup
from closewatch.restores.origins.pgbackrest import Pgbackrest
from closewatch.restores.run import no_hole
from closewatch.restores.scratch import Scratch
from closewatch.restores.server import Server
from closewatch.restores.verify import amcheck, checksums, manifest
from closewatch.restores.why import Failed, Why
from tests.fixtures.archiving import Archiving
from tests.fixtures.servers import missing

ORIGINS = ("pgbackrest", "barman", "plain", "tar")


def origin_of(name: str, one: Archiving, config: pytest.Config, wal: Path | None = None) -> tuple[Any, str | None]:
    """The origin, and the backup to take where it isn't the newest."""
    if name == "pgbackrest":
        if one.pgbackrest is None:
            missing(config, "pgbackrest is not at hand")
        return Pgbackrest((one.pgbackrest,), "main", 1, one.pgbackrest_config), None
    if name == "barman":
        if one.barman is None:
            missing(config, "barman is not at hand")
        return Barman((one.barman,), "main", one.barman_config), None
    return BaseBackup(one.base, wal or one.wal), name


@contextlib.contextmanager
def restored(scratch: Scratch, origin: Any, name: str | None = None, to: float | None = None) -> Iterator[Server]:
    """As a restore test does it."""
    found = origin.backups(scratch)
    backup = found[0] if name is None else next(each for each in found if each.id == name)
    settings = origin.restore(backup, Moment(to), scratch)
    manifest.verify(scratch)
    server = Server.on(scratch, settings)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def rows(server: Server) -> tuple[int, int]:
    with server.connect("books") as connection:
        found = connection.execute("SELECT count(*), max(n) FROM tick").fetchone()
    assert found is not None
    return found[0], found[1]


@pytest.mark.parametrize("name", ORIGINS)
def test_a_moment_brings_back_exactly_what_was_committed_until_then(
    name: str, archiving: Archiving, scratch: Scratch, pytestconfig: pytest.Config
) -> None:
    origin, backup = origin_of(name, archiving, pytestconfig)
    expected = archiving.rows_before(archiving.moment)
    assert 0 < expected < len(archiving.commits)
    with restored(scratch, origin, backup, archiving.moment) as server:
        assert rows(server) == (expected, expected)
        assert_elsewhere(server, scratch)
        at = server.recovered_to()
        assert at is not None
        assert abs(at - archiving.commits[expected - 1]) < 0.001


@pytest.mark.parametrize("name", ORIGINS)
def test_the_end_of_the_wal_brings_back_all(
    name: str, archiving: Archiving, scratch: Scratch, pytestconfig: pytest.Config
) -> None:
    origin, backup = origin_of(name, archiving, pytestconfig)
    with restored(scratch, origin, backup) as server:
        assert rows(server) == (len(archiving.commits),) * 2
        assert origin.newest_wal(scratch) == archiving.segments()[-1]
        no_hole(server, origin.newest_wal(scratch))
        assert amcheck.verify(server, scratch, ["books"], [])["looked_at"]


@pytest.mark.parametrize("name", ORIGINS)
def test_the_window_spans_from_the_backup_to_the_newest_segment(
    name: str, archiving: Archiving, scratch: Scratch, pytestconfig: pytest.Config
) -> None:
    origin, _ = origin_of(name, archiving, pytestconfig)
    window = origin.window(scratch)
    assert window is not None
    assert window.since is not None
    assert window.until is not None
    assert archiving.commits[0] < window.since < archiving.moment < archiving.commits[-1] < window.until + 5
    assert window.until < time.time() + 1


@pytest.mark.parametrize("name", ["pgbackrest", "plain"])
def test_a_moment_after_the_last_commit_is_not_reached(
    name: str, archiving: Archiving, scratch: Scratch, pytestconfig: pytest.Config
) -> None:
    origin, backup = origin_of(name, archiving, pytestconfig)
    with pytest.raises(Failed) as failure, restored(scratch, origin, backup, archiving.commits[-1] + 3600):
        pass
    assert failure.value.why is Why.TARGET_NOT_REACHED


def test_a_backup_with_its_own_wal_needs_no_archive(archiving: Archiving, scratch: Scratch) -> None:
    with restored(scratch, BaseBackup(archiving.base, None), "tar") as server:
        assert 0 < rows(server)[0] < archiving.rows_before(archiving.moment)


def test_a_segment_that_lacks_is_found(archiving: Archiving, scratch: Scratch, tmp_path: Path) -> None:
    there = archiving.segments()
    archive = archiving.copy_of_wal(scratch.path / "archive", there[-2])
    scratch.give(archive)
    origin = BaseBackup(archiving.base, archive)
    with restored(scratch, origin, "plain") as server, pytest.raises(Failed) as failure:
        no_hole(server, origin.newest_wal(scratch))
    assert failure.value.why is Why.WAL_MISSING


def test_without_the_wal_of_the_backup_nothing_starts(archiving: Archiving, scratch: Scratch) -> None:
    archive = scratch.folder("archive")
    origin = BaseBackup(archiving.base, archive)
    with pytest.raises(Failed) as failure, restored(scratch, origin, "plain"):
        pass
    assert failure.value.why is Why.WAL_MISSING


def test_a_flipped_byte_is_found_by_the_manifest(archiving: Archiving, scratch: Scratch) -> None:
    origin = BaseBackup(archiving.base, archiving.wal)
    backup = next(each for each in origin.backups(scratch) if each.id == "plain")
    origin.restore(backup, Moment(), scratch)
    assert manifest.verify(scratch)["there"]
    flip(table_file(scratch.data))
    with pytest.raises(Failed) as failure:
        manifest.verify(scratch)
    assert failure.value.why is Why.MANIFEST


def test_a_flipped_byte_that_no_manifest_tells_is_found_by_page_checksums(
    archiving: Archiving, scratch: Scratch, pytestconfig: pytest.Config
) -> None:
    origin, _ = origin_of("pgbackrest", archiving, pytestconfig)
    with restored(scratch, origin) as server:
        assert checksums.verify(server, scratch)["looked_at"]
        assert rows(server)[0]
        server.rest()
        flip(table_file(scratch.data))
        server.start()
        with pytest.raises(Failed) as failure:
            checksums.verify(server, scratch)
    assert failure.value.why is Why.CORRUPT


def assert_elsewhere(server: Server, scratch: Scratch) -> None:
    """The table of another tablespace is there, and lies in the place of the test."""
    with server.connect("books") as connection:
        assert connection.execute("SELECT count(*) FROM elsewhere").fetchone() == (100,)
    (link,) = (scratch.data / "pg_tblspc").iterdir()
    assert link.resolve().is_relative_to(scratch.path.resolve())


def table_file(data: Path) -> Path:
    """A file of a table of the system: the largest, as it surely has pages."""
    return max((data / "base").glob("*/[0-9]*"), key=lambda path: path.stat().st_size)


def flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(8192 * 2 + 5000)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 0x55]))


def test_wal_of_another_timeline_alone_is_not_enough(archiving: Archiving, scratch: Scratch) -> None:
    archive = archiving.copy_of_wal(scratch.path / "archive")
    for path in archive.iterdir():
        path.rename(archive / re.sub(r"^00000001", "00000002", path.name))
    scratch.give(archive)
    with pytest.raises(Failed) as failure, restored(scratch, BaseBackup(archiving.base, archive), "plain"):
        pass
    assert failure.value.why is Why.WAL_MISSING


def test_a_server_killed_in_recovery_is_a_failed_start(archiving: Archiving, scratch: Scratch) -> None:
    origin = BaseBackup(archiving.base, archiving.wal)
    backup = next(each for each in origin.backups(scratch) if each.id == "plain")
    settings = dict(origin.restore(backup, Moment(), scratch)) | {"restore_command": "touch ../asked; sleep 60"}
    server = Server.on(scratch, settings)

    def kill_it() -> None:
        while not (scratch.path / "asked").exists() and not (scratch.data / "asked").exists():
            time.sleep(0.02)
        server.kill()

    killer = threading.Thread(target=kill_it, daemon=True)
    # The command runs in the data folder, whose parent is ours: root's, so make it writable for the test.
    scratch.path.chmod(0o777)
    killer.start()
    with pytest.raises(Failed) as failure:
        server.start()
    assert failure.value.why is Why.START_FAILED
    killer.join(10)
