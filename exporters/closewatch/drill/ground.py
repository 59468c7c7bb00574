"""What a drill is carried out on: a cluster that archives its WAL, under a write load whose every commit is known."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from closewatch.engines.binaries import PostgresBinaries
from closewatch.engines.datafolder import write_settings
from closewatch.engines.folder import RunFolder
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import EngineError

LOAD = "CREATE TABLE load (n bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp())"
PAUSE = 0.02
DATABASE = "odoo_books"


@dataclass(slots=True)
class Commits:
    """The numbers that were committed, and when the commit was known to be done (Unix seconds)."""

    done: list[tuple[int, float]] = field(default_factory=list)

    def before(self, at: float) -> int:
        """The highest number that was certainly committed by then; 0 where none was."""
        return max((number for number, when in self.done if when <= at), default=0)


class Writer:
    """Writes one row a transaction, again and again, in a thread."""

    def __init__(self, server: PostgresServer, database: str) -> None:
        self.commits = Commits()
        self._dsn = server.dsn(database)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="load", daemon=True)

    def start(self) -> Writer:
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End, after the transaction that is under way."""
        self._stop.set()
        self._thread.join(30)

    def _work(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            row = connection.execute("SELECT coalesce(max(n), 0) FROM load").fetchone()
            number = int(row[0]) if row else 0
            while not self._stop.is_set():
                number += 1
                connection.execute("INSERT INTO load (n) VALUES (%s)", [number])
                self.commits.done.append((number, time.time()))
                time.sleep(PAUSE)


class Ground:
    """A cluster with a database, an archive of pgBackRest, and a plain folder of WAL beside it."""

    def __init__(self, run: RunFolder, binaries: PostgresBinaries, pgbackrest: str | None, name: str = "books") -> None:
        self.run = run
        self.pgbackrest = pgbackrest
        self.database = DATABASE
        self.server = PostgresServer.create(run, binaries, f"{name}-cluster")
        self.wal = run.folder(f"{name}-wal", private_to=run.user)
        self.config = run.path / f"{name}-pgbackrest.conf"
        places = {part: run.folder(f"{name}-{part}", private_to=run.user) for part in ("repo", "lock", "spool", "sock")}
        self.repo = places["repo"]
        self.config.write_text(
            f"[global]\nrepo1-path={self.repo}\nlock-path={places['lock']}\nspool-path={places['spool']}\n"
            "log-level-file=off\nlog-level-console=warn\nstart-fast=y\narchive-timeout=60\n"
            f"[main]\npg1-path={self.server.data}\npg1-port={self.server.port}\n"
            f"pg1-socket-path={places['sock']}\npg1-user=postgres\n",
            encoding="utf-8",
        )
        # One command for both: a segment that isn't in either is archived again.
        keep = f"cp %p {self.wal}/%f"
        push = f"{pgbackrest} --config={self.config} --stanza=main archive-push %p && " if pgbackrest else ""
        settings = {"archive_mode": "on", "archive_command": push + keep}
        settings |= {"unix_socket_directories": str(places["sock"])}
        write_settings(self.server.data, settings, run.user)
        hba = self.server.data / "pg_hba.conf"
        hba.write_text("local all all trust\nlocal replication all trust\n" + hba.read_text(encoding="utf-8"))

    def start(self, script: str = "") -> Ground:
        """Start the cluster, with the database and what the script makes in it."""
        self.server.start()
        self.server.create_database(self.database)
        self.server.sql(self.database, LOAD)
        if script:
            self.server.sql(self.database, script)
        if self.pgbackrest:
            self.backrest("stanza-create")
        return self

    def load(self) -> Writer:
        """A write load, begun."""
        return Writer(self.server, self.database).start()

    def backrest(self, *arguments: str) -> None:
        """Run a command of pgBackRest to its end. Raises EngineError."""
        command = [str(self.pgbackrest), f"--config={self.config}", "--stanza=main", *arguments]
        done = self.run.call(command, user=self.run.user, timeout=120)
        if done.returncode:
            raise EngineError(f"pgbackrest {arguments[0]}: {done.stderr}{done.stdout}")

    def base_backup(self, name: str, *options: str) -> Path:
        """A backup by pg_basebackup with its manifest, without WAL."""
        to = self.run.folder(name, private_to=self.run.user)
        program = self.server.binaries.program("pg_basebackup")
        command = [str(program), "-D", str(to), "-d", self.server.dsn(password=""), "-X", "none", "-c", "fast"]
        environment = {"PGPASSWORD": self.server.password}
        done = self.run.call([*command, "--no-sync", *options], user=self.run.user, env=environment, timeout=120)
        if done.returncode:
            raise EngineError(f"pg_basebackup: {done.stderr}")
        return to

    def switch(self) -> None:
        """Let the present WAL segment go to the archive, and wait until it is there."""
        segment = self.server.value("postgres", "SELECT pg_walfile_name(pg_switch_wal())")
        until = time.monotonic() + 60
        while not (self.wal / segment).exists():
            if time.monotonic() > until:
                raise EngineError(f"{segment} did not get to the archive")
            time.sleep(0.05)

    def remove(self) -> None:
        """Stop it and remove it."""
        self.server.remove()
        for path in (self.wal, self.repo):
            shutil.rmtree(path, ignore_errors=True)
