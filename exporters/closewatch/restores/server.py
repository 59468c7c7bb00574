"""A throwaway PostgreSQL that nothing else can reach: one private socket, no network, no archiving, no jobs of its own.

Nothing of the restored configuration is used: it names archives, primaries and libraries of production. What recovery
needs (the least sizes that the control file asks for) is taken from `pg_controldata`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from closewatch.engines.binaries import PostgresBinaries, find_postgres
from closewatch.engines.datafolder import reachable
from closewatch.engines.process import Files, Process
from closewatch.restores import cluster
from closewatch.restores.alone import alone
from closewatch.restores.links import keep_inside
from closewatch.restores.scratch import TICK, Scratch
from closewatch.restores.serverlog import why_it_ended
from closewatch.restores.why import Failed, Why

ADMIN = "postgres"
STOP_SECONDS = 30.0
_NOWHERE_ELSE = ""
"""Else the environment's PGHOSTADDR, such as that of production, would win over the socket."""
_NO_LOGIN = ("does not exist", "is not permitted to log in")
_SIGNALS = ("standby.signal", "recovery.signal")


class Server:
    """A server in a scratch folder. `new` makes an empty one, `on` runs restored data; then `start`."""

    def __init__(
        self, scratch: Scratch, binaries: PostgresBinaries, settings: Mapping[str, str], *, recovers: bool
    ) -> None:
        self.scratch = scratch
        self.binaries = reachable(scratch.engines, binaries)
        self._recovers = recovers
        self.admin = ADMIN
        self.looker: str | None = None
        self._process: Process | None = None
        self._files: list[Files] = []
        self._asked_for_owner = False
        self.socket = scratch.folder("socket")
        self._conf = scratch.folder("conf")
        self._write(settings)

    @classmethod
    def new(cls, scratch: Scratch, major: int | None) -> Server:
        """An empty server of at least that major version (None: the newest here)."""
        binaries = find_postgres()[-1:] if major is None else [cluster.binaries_for(major, exactly=False)]
        if not binaries:
            raise Failed(Why.WRONG_VERSION, "there is no PostgreSQL on this machine")
        usable = reachable(scratch.engines, binaries[0])
        command = [str(usable.path / "initdb"), "-D", str(scratch.data), "-U", ADMIN, "--auth=trust", "--no-sync"]
        # Without --no-clean it would remove what filled the disk, and with it the reason.
        ran = scratch.run([*command, "--encoding=UTF8", "--locale=C", "--no-clean"])
        if ran.code:
            raise Failed(Why.START_FAILED, "initdb ended with an error")
        return cls(scratch, binaries[0], {}, recovers=False)

    @classmethod
    def on(cls, scratch: Scratch, settings: Mapping[str, str]) -> Server:
        """The restored data folder, with what recovery needs. Raises Failed."""
        binaries = cluster.binaries_of(scratch)
        keep_inside(scratch)
        for name in (*_SIGNALS, "postgresql.auto.conf"):
            (scratch.data / name).unlink(missing_ok=True)
        if settings:  # else the backup brings its own WAL, and is recovered as after a crash
            (scratch.data / "recovery.signal").touch()
        (scratch.data / "postgresql.auto.conf").write_text("", encoding="ascii")
        (scratch.data / "postmaster.pid").unlink(missing_ok=True)
        for slot in (scratch.data / "pg_replslot").glob("*"):  # logical ones keep a server from starting
            shutil.rmtree(slot, ignore_errors=True)
        scratch.give(scratch.data)
        scratch.data.chmod(0o700)  # a copied backup brings its own mode, which PostgreSQL may refuse
        return cls(scratch, binaries, settings, recovers=bool(settings))

    @property
    def major(self) -> int:
        """The major version that runs."""
        return self.binaries.major

    @property
    def port(self) -> int:
        """The number in the socket's name."""
        return 5432

    def program(self, name: str) -> str:
        """A program that belongs to this server, such as pg_restore. Raises Failed(tool_failed)."""
        return cluster.program(self.binaries, name)

    def control(self) -> dict[str, str]:
        """What `pg_controldata` says, by its names. Raises Failed(tool_failed, unreadable)."""
        return cluster.control(self.scratch, self.binaries)

    def start(self) -> None:
        """Start, recover, and wait until it takes part in life. Raises Failed with the reason that its log gives."""
        self._launch()
        while not self._answers():
            if not self.running:
                raise self._ended()
            self.scratch.watch()
            time.sleep(TICK)

    def rest(self) -> None:
        """Stop it cleanly, with all written to its files; `start` wakes it. Raises Failed(start_failed)."""
        if self._process is None:
            return
        os.kill(self._process.pid, signal.SIGINT)
        while self.running:
            self.scratch.watch()
            time.sleep(TICK)
        if self._process.started.returncode:
            raise self._ended()

    @property
    def running(self) -> bool:
        """Whether its main process lives."""
        return self._process is not None and self._process.running

    def _launch(self) -> None:
        command = [self.program("postgres"), "-D", str(self.scratch.data)]
        command += ["-c", f"config_file={self._conf / 'postgresql.conf'}"]
        # Where we are killed, it is not: ended by request, it gives back its shared memory.
        self._process, files = self.scratch.start(command, parent_death=signal.SIGQUIT)
        self._files.append(files)

    def stop(self) -> None:
        """Stop it at once: what it holds is thrown away."""
        if self._process is not None:
            self._process.stop(signal.SIGQUIT, STOP_SECONDS)

    def kill(self) -> None:
        """End all its processes, as a machine that loses its power."""
        if self._process is not None:
            self._process.kill()

    def look(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection that reads what was restored, as `looker` where that is set: else as the superuser.

        Nothing of it stands in for a function or runs as a trigger, and a policy that hides rows is an error.
        """
        options = "-c session_replication_role=replica " if self.looker is None else ""
        options += "-c search_path=pg_catalog -c row_security=off -c default_transaction_read_only=on"
        return self._connect(database, self.looker or self.admin, options)

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
        """A connection as the superuser, in autocommit. Raises Failed(start_failed) where it doesn't answer."""
        return self._connect(database, self.admin)

    def _connect(self, database: str, user: str, options: str = "") -> psycopg.Connection[tuple[Any, ...]]:
        try:
            return psycopg.connect(
                host=str(self.socket),
                hostaddr=_NOWHERE_ELSE,
                port=self.port,
                dbname=database,
                user=user,
                autocommit=True,
                connect_timeout=10,
                client_encoding="utf8",  # else a database in SQL_ASCII would answer in bytes
                options=f"-c statement_timeout=0 -c lock_timeout=0 {options}",
                application_name="closewatch",
            )
        except psycopg.OperationalError:
            raise self._ended() from None

    def databases(self) -> list[str]:
        """The databases that one can connect to, less templates."""
        with self.connect(MAINTENANCE) as connection:
            question = "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"
            return [str(name) for (name,) in connection.execute(question)]

    def create_database(self, name: str) -> None:
        """An empty database."""
        with self.connect(MAINTENANCE) as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'")
            connection.execute(statement.format(sql.Identifier(name)))

    def recovered_to(self) -> float | None:
        """The time of the newest commit that was replayed, in Unix seconds; None where none was."""
        with self.connect(MAINTENANCE) as connection:
            row = connection.execute(
                "SELECT extract(epoch FROM pg_catalog.pg_last_xact_replay_timestamp())::float8"
            ).fetchone()
        return None if row is None or row[0] is None else float(row[0])

    def log(self) -> str:
        """What it said."""
        return "".join(files.err.read_text(encoding="utf-8", errors="replace") for files in self._files)

    def restored_segments(self) -> list[str]:
        """The WAL segments that recovery fetched from the archive, in order."""
        return re.findall(r'restored log file "([0-9A-F]{24})" from archive', self.log())

    def _ended(self) -> Failed:
        if self.scratch.full():
            return Failed(Why.NO_SPACE, "the disk was filled while the server ran")
        return why_it_ended(self.log())

    def _answers(self) -> bool:
        for name in dict.fromkeys((self.admin, ADMIN, self.scratch.user or ADMIN)):
            try:
                with psycopg.connect(
                    host=str(self.socket),
                    hostaddr=_NOWHERE_ELSE,
                    port=self.port,
                    dbname=MAINTENANCE,
                    user=name,
                    connect_timeout=2,
                ) as connection:
                    ruler = connection.info.parameter_status("is_superuser") == "on"
            except psycopg.OperationalError as error:
                if any(sign in str(error) for sign in _NO_LOGIN):
                    continue
                return False
            if ruler:
                self.admin = name
                return True
        if self._asked_for_owner or (owner := self._bootstrap_owner()) is None:
            raise Failed(Why.START_FAILED, "no superuser of the restored cluster is known")
        self.admin = owner
        return False

    def _bootstrap_owner(self) -> str | None:
        """The name of the first superuser, by the single-user mode of a server that was stopped meanwhile."""
        self._asked_for_owner = True
        self.rest()
        question = self._conf / "question"
        question.write_text("SELECT rolname FROM pg_catalog.pg_roles WHERE oid = 10\n", encoding="ascii")
        self.scratch.give(question)
        command = [self.program("postgres"), "--single", "-D", str(self.scratch.data)]
        command += ["-c", f"config_file={self._conf / 'postgresql.conf'}", MAINTENANCE]
        ran = self.scratch.run(command, stdin=question)
        found = re.search(r'rolname = "([^"]+)"', ran.out.decode(errors="replace"))
        self._launch()
        return found[1] if found else None

    def _write(self, settings: Mapping[str, str]) -> None:
        places = {
            "unix_socket_directories": str(self.socket),
            "hba_file": str(self._conf / "pg_hba.conf"),
            "ident_file": str(self._conf / "pg_ident.conf"),
            "data_directory": str(self.scratch.data),
        }
        whole = {**alone(self.major, self.control()), **places, **settings}
        lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in whole.items()]
        (self._conf / "postgresql.conf").write_text("".join(lines), encoding="utf-8")
        # Whoever gets to the socket's folder is us: nobody else may enter it.
        (self._conf / "pg_hba.conf").write_text("local all all trust\n", encoding="ascii")
        (self._conf / "pg_ident.conf").write_text("", encoding="ascii")
        self.scratch.give(self._conf)


MAINTENANCE = "template1"
"""In every cluster; a restored one may have no database `postgres`."""
