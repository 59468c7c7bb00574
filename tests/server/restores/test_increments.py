"""Incremental backups of pg_basebackup, put together with those they build on, and recovered to a moment."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from closewatch.engines.binaries import PostgresBinaries
from closewatch.engines.folder import RunFolder
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import wait_until
from closewatch.restores.origins.base import Moment
from closewatch.restores.origins.basebackup import BaseBackup
from closewatch.restores.run import no_hole
from closewatch.restores.scratch import Scratch
from closewatch.restores.server import Server
from closewatch.restores.verify import amcheck, manifest
from closewatch.restores.why import Failed, Why

pytestmark = pytest.mark.pg(">=17")
FORMATS = ("plain", "tar")
_numbers = itertools.count(1)


@dataclass
class Chain:
    """Backups day-0 (full), day-1 and day-2, of 100 rows more each; 50 more are in the WAL alone, before `moment`."""

    base: dict[str, Path]
    wal: Path
    moment: float


def back_up(run: RunFolder, server: PostgresServer, to: Path, form: str, before: Path | None) -> None:
    """By pg_basebackup, with a tablespace; without WAL of its own."""
    command = [
        str(server.binaries.path / "pg_basebackup"),
        "-d",
        server.dsn(),
        "-D",
        str(to),
        "-c",
        "fast",
        "-X",
        "none",
    ]
    command += ["--no-sync", f"--format={form}"] + ([f"--incremental={before / 'backup_manifest'}"] if before else [])
    if form == "plain":
        space = to.with_name(f"{to.name}-space")
        command.append(f"--tablespace-mapping={server.data.with_name(server.data.name + '-space')}={space}")
    else:
        command.append("--gzip")
    done = run.call(command, user=run.user, timeout=60)
    assert done.returncode == 0, done.stderr


def fill(server: PostgresServer, rows: int) -> None:
    server.sql("books", f"INSERT INTO tick (text) SELECT repeat('x', 500) FROM generate_series(1, {rows})")
    server.sql("books", "UPDATE elsewhere SET n = n + 1")


@pytest.fixture(scope="module")
def chains(run_folder: RunFolder, postgres_version: PostgresBinaries) -> Iterator[Chain]:
    number = next(_numbers)
    folders = {
        name: run_folder.folder(f"increments{number}-{name}", private_to=run_folder.user) for name in ("wal", *FORMATS)
    }
    settings = {
        "archive_mode": "on",
        "archive_command": f"cp %p {folders['wal']}/%f.part && mv {folders['wal']}/%f.part {folders['wal']}/%f",
        "summarize_wal": "on",
        "autovacuum": "off",
    }
    server = PostgresServer.create(run_folder, postgres_version, f"increments{number}", settings)
    space = server.data.with_name(server.data.name + "-space")
    space.mkdir()
    if run_folder.user:
        shutil.chown(space, run_folder.user)
    server.start()
    server.create_database("books")
    server.sql("postgres", f"CREATE TABLESPACE extra LOCATION '{space}'")
    server.sql("books", "CREATE TABLE tick (n serial PRIMARY KEY, text text)")
    server.sql("books", "CREATE TABLE elsewhere TABLESPACE extra AS SELECT generate_series(1, 1000) AS n")
    for day in range(3):
        fill(server, 100)
        for form in FORMATS:
            before = folders[form] / f"day-{day - 1}" if day else None
            back_up(run_folder, server, folders[form] / f"day-{day}", form, before)
    fill(server, 50)
    moment = float(server.value("books", "SELECT extract(epoch FROM clock_timestamp())::float8"))
    time.sleep(0.1)
    fill(server, 7)
    last = server.value("postgres", "SELECT pg_walfile_name(pg_switch_wal())")
    wait_until((folders["wal"] / last).exists, 30, "the last segment is archived")
    server.stop()
    yield Chain({form: folders[form] for form in FORMATS}, folders["wal"], moment)
    server.remove()


def restore(origin: BaseBackup, name: str, scratch: Scratch, to: float | None = None) -> Server:
    backup = next(each for each in origin.backups(scratch) if each.id == name)
    settings = origin.restore(backup, Moment(to), scratch)
    assert manifest.verify(scratch)["there"]
    return Server.on(scratch, settings)


def rows(server: Server) -> tuple[int, int]:
    with server.connect("books") as connection:
        found = connection.execute("SELECT (SELECT count(*) FROM tick), (SELECT min(n) FROM elsewhere)").fetchone()
    assert found is not None
    return found[0], found[1]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("name", "to_moment", "expected"), [("day-2", True, (350, 5)), ("day-1", False, (357, 6))])
def test_a_chain_is_put_together_and_recovered(
    chains: Chain, scratch: Scratch, form: str, name: str, to_moment: bool, expected: tuple[int, int]
) -> None:
    origin = BaseBackup(chains.base[form], chains.wal)
    server = restore(origin, name, scratch, chains.moment if to_moment else None)
    server.start()
    try:
        assert rows(server) == expected
        assert amcheck.verify(server, scratch, ["books"], [])["looked_at"]
        if not to_moment:
            no_hole(server, origin.newest_wal(scratch))
        assert not list(scratch.path.glob("part-?")), "no more of it is kept than is needed"
        for link in (scratch.data / "pg_tblspc").iterdir():
            assert link.resolve().is_relative_to(scratch.path)
    finally:
        server.stop()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("gone", ["day-0", "day-1"])
def test_what_it_builds_on_must_be_there(chains: Chain, scratch: Scratch, form: str, gone: str) -> None:
    base = copied(chains, form, scratch, without=gone)
    with pytest.raises(Failed, match="a backup that it builds on is not there") as failure:
        restore(BaseBackup(base, chains.wal), "day-2", scratch)
    assert failure.value.why is Why.UNREADABLE


@pytest.mark.parametrize("day", ["day-0", "day-1"])
def test_a_flipped_byte_in_any_of_them_is_found(chains: Chain, scratch: Scratch, day: str) -> None:
    base = copied(chains, "plain", scratch)
    largest = max((base / day / "base").rglob("[0-9]*"), key=lambda path: path.stat().st_size)
    with largest.open("r+b") as file:
        file.seek(largest.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(Failed) as failure:
        restore(BaseBackup(base, chains.wal), "day-2", scratch)
    assert failure.value.why is Why.MANIFEST


def copied(chains: Chain, form: str, scratch: Scratch, without: str = "") -> Path:
    """A copy of the backups, to be broken."""
    base = scratch.path / "backups"
    shutil.copytree(
        chains.base[form], base, symlinks=True, ignore=lambda _, names: [one for one in names if one == without]
    )
    base.chmod(0o755)
    scratch.give(base)
    return base
