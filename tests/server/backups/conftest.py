"""Real backups: pg_dump's in all formats from each version at hand, and pgBackRest's of a server that archives."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from closewatch.engines.binaries import find_postgres
from closewatch.engines.datafolder import write_settings
from closewatch.engines.folder import RunFolder
from closewatch.engines.postgres import PostgresServer
from tests.fixtures.servers import missing
from tests.server.backups.verified import Verified

TABLES = """
CREATE TABLE move (id int PRIMARY KEY, name text);
INSERT INTO move SELECT n, md5(n::text) || repeat('x', n % 50) FROM generate_series(1, 3000) AS n;
CREATE TABLE line (id int, move int REFERENCES move);
INSERT INTO line SELECT n, n FROM generate_series(1, 500) AS n;
CREATE TABLE nothing (id int);
SELECT lo_from_bytea(0, 'a large object');
"""


@dataclass(frozen=True)
class Dumps:
    """Dumps of one database in a folder: custom.dump, piped.dump, tar.tar, plain.sql, schema.dump, folder/."""

    folder: Path
    major: int

    def copy(self, name: str, to: Path, ago: float = 3600.0, cut: int | None = None) -> Path:
        """A copy that was last changed so many seconds ago; cut to a length, from the end where that is negative."""
        source = self.folder / name
        if source.is_dir():
            shutil.copytree(source, to)
        else:
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(source.read_bytes()[:cut])
        for path in [to, *to.rglob("*")] if to.is_dir() else [to]:
            aged(path, ago)
        return to


def aged(path: Path, ago: float) -> Path:
    """Last changed so many seconds ago."""
    os.utime(path, (time.time() - ago,) * 2)
    return path


@pytest.fixture(scope="session")
def dumps(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Dumps:
    """What each version's own pg_dump writes."""
    server, folder = postgres_server, tmp_path_factory.mktemp(f"dumps{postgres_server.major}")
    server.create_database("dumped")
    server.sql("dumped", TABLES)
    program = server.binaries.program("pg_dump")
    assert program is not None
    environment = {**os.environ, "PGPASSWORD": server.password}

    def run(*arguments: str) -> bytes:
        command = [str(program), *arguments, server.dsn("dumped", password="")]
        return subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60).stdout

    for form, name in (("c", "custom.dump"), ("t", "tar.tar"), ("p", "plain.sql"), ("d", "folder")):
        run("-F", form, "-f", str(folder / name))
    run("-Fc", "-s", "-f", str(folder / "schema.dump"))
    (folder / "piped.dump").write_bytes(run("-Fc"))
    server.drop_database("dumped")
    return Dumps(folder, server.major)


@pytest.fixture
def folder_target(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The settings of a folder of the test's own, `tmp_path/backups`."""
    (tmp_path / "backups").mkdir()

    def target(**more: Any) -> dict[str, Any]:
        return {"kind": "backups", "name": "acme", "folder": {"path": str(tmp_path / "backups"), **more}}

    return target


@pytest.fixture
def verified(tmp_path: Path) -> Verified:
    """Runs the check `verification` of a target."""
    return Verified(tmp_path)


class Repository:
    """pgBackRest with a server whose WAL it archives; `run` is the program, as the server's user."""

    def __init__(self, run: RunFolder, program: Path, server: PostgresServer, config: Path) -> None:
        self.run_folder = run
        self.program = program
        self.server = server
        self.config = config

    def run(self, *arguments: str) -> None:
        """Run a command of pgBackRest to its end."""
        command = [str(self.program), f"--config={self.config}", "--stanza=main", *arguments]
        done = self.run_folder.call(command, user=self.run_folder.user, timeout=90)
        assert done.returncode == 0, done.stderr + done.stdout

    def target(self, **more: Any) -> dict[str, Any]:
        """The settings of its stanza."""
        place = {"stanza": "main", "config": str(self.config), "command": [str(self.program)], **more}
        return {"kind": "backups", "name": "main", "pgbackrest": place}


@pytest.fixture(scope="session")
def repository(run_folder: RunFolder, pytestconfig: pytest.Config) -> Iterator[Repository]:
    """A repository for a server of the lowest version at hand: pgBackRest must know it."""
    found = shutil.which("pgbackrest", path=f"{os.environ['PATH']}:{_engines()}")
    versions = [each for each in find_postgres() if each.major <= 15]
    if not found or not versions:
        missing(pytestconfig, "pgbackrest, or a PostgreSQL that it knows, is not at hand")
    places = {name: run_folder.folder(f"pgbackrest-{name}", private_to=run_folder.user) for name in ("repo", "socket")}
    for name in ("lock", "spool"):
        places[name] = run_folder.folder(f"pgbackrest-{name}", private_to=run_folder.user)
    config = run_folder.path / "pgbackrest.conf"
    server = PostgresServer.create(run_folder, versions[-1], "archiving")
    config.write_text(
        f"[global]\nrepo1-path={places['repo']}\nlock-path={places['lock']}\nspool-path={places['spool']}\n"
        "log-level-file=off\nlog-level-console=warn\nstart-fast=y\n"
        f"[main]\npg1-path={server.data}\npg1-port={server.port}\npg1-socket-path={places['socket']}\npg1-user=postgres\n"
    )
    push = f"{found} --config={config} --stanza=main archive-push %p"
    settings = {"archive_mode": "on", "archive_command": push, "unix_socket_directories": str(places["socket"])}
    write_settings(server.data, settings, run_folder.user)
    hba = server.data / "pg_hba.conf"
    hba.write_text("local all all trust\n" + hba.read_text())
    server.start()
    yield Repository(run_folder, Path(found), server, config)
    server.remove()


def _engines() -> str:
    from closewatch.engines.binaries import _engines_folder

    return _engines_folder()
