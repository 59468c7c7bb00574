"""A real PostgreSQL server in a run folder: start, stop, kill, freeze, ask, and add standbys.

It listens on loopback alone, every login needs a password (SCRAM), and it forgets durability: what a crash of the
machine would lose is thrown away anyway.
"""

from __future__ import annotations

import gzip
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, LiteralString

import psycopg
from psycopg import sql

from closewatch.engines.binaries import PostgresBinaries, client_program, with_client
from closewatch.engines.datafolder import make_data_folder, reachable, write_settings
from closewatch.engines.folder import HOST, RunFolder, free_port
from closewatch.engines.process import EngineError, Process, wait_until

ADMIN = "postgres"
StopMode = Literal["smart", "fast", "immediate"]
_STOP_SIGNAL = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class PostgresServer:
    """One server. `create` and `add_standby` make them; its port stays the same over restarts."""

    host = HOST

    def __init__(self, run: RunFolder, name: str, binaries: PostgresBinaries, data: Path, password: str) -> None:
        self.run = run
        self.name = name
        self.binaries = binaries
        self.data = data
        self.password = password
        self.port = free_port()
        self.process: Process | None = None

    @classmethod
    def create(
        cls,
        run: RunFolder,
        binaries: PostgresBinaries,
        name: str = "postgres",
        settings: Mapping[str, str] | None = None,
    ) -> PostgresServer:
        """A new, empty server, not started. `settings` are lines of postgresql.conf, values as plain text."""
        binaries, password = make_data_folder(run, binaries, name)
        server = cls(run, name, binaries, run.path / name, password)
        write_settings(server.data, {"port": str(server.port), **(settings or {})}, run.user)
        return server

    @property
    def address(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"

    @property
    def major(self) -> int:
        """The major version, such as 18."""
        return self.binaries.major

    @property
    def running(self) -> bool:
        """Whether its main process lives; a frozen one does."""
        return self.process is not None and self.process.running

    def start(self, *, wait: bool = True) -> PostgresServer:
        """Start, and wait until it answers (a standby: read-only)."""
        program = str(self.binaries.path / "postgres")
        self.process = self.run.spawn(
            self.name, [program, "-D", str(self.data)], cwd=self.data, user=self.run.user, parent_death=signal.SIGQUIT
        )
        return self.wait_ready() if wait else self

    def wait_ready(self, timeout: float = 60.0) -> PostgresServer:
        """Wait until it answers. Raises EngineError with the end of its log."""
        self._process().wait_ready(self._answers, timeout)
        return self

    def stop(self, mode: StopMode = "fast", timeout: float = 30.0) -> None:
        """Stop as `pg_ctl stop -m MODE` does. A frozen server is woken."""
        if self.process is not None:
            self.process.stop(_STOP_SIGNAL[mode], timeout)

    def kill(self) -> None:
        """End all its processes at once, as a machine that loses its power."""
        self._process().kill()

    def remove(self) -> None:
        """Stop it and remove its data."""
        self.stop("immediate")
        shutil.rmtree(self.data, ignore_errors=True)

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start."""
        self.stop(mode)
        self.start()

    def pause(self) -> None:
        """Freeze all its processes: connections stay open, nothing answers."""
        self._process().pause()

    def resume(self) -> None:
        """Let a frozen server go on."""
        self._process().resume()

    def dsn(self, database: str = "postgres", user: str = ADMIN, password: str | None = None) -> str:
        """A connection string; without a password where that is empty."""
        secret = self.password if password is None else password or None
        return psycopg.conninfo.make_conninfo(
            host=self.host, port=self.port, dbname=database, user=user, password=secret, connect_timeout=5
        )

    def connect(
        self, database: str = "postgres", user: str = ADMIN, password: str | None = None, **options: Any
    ) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection, in autocommit unless said otherwise."""
        return psycopg.connect(self.dsn(database, user, password), **{"autocommit": True, **options})

    def sql(self, database: str, text: str, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """Run one or more statements as the administrator; gives the rows of the last, if it has rows."""
        with self.connect(database) as connection:
            cursor = connection.execute(text.encode(), parameters)
            while cursor.nextset():
                continue
            return cursor.fetchall() if cursor.description else []

    def value(self, database: str, text: str, parameters: Sequence[Any] | None = None) -> Any:
        """The first column of the first row."""
        return self.sql(database, text, parameters)[0][0]

    def create_role(self, name: str, password: str | None = None, options: LiteralString = "LOGIN") -> str:
        """Create a role; gives its password (random when none is given)."""
        secret = password or secrets.token_urlsafe(18)
        statement = sql.SQL("CREATE ROLE {} {} PASSWORD {}").format(
            sql.Identifier(name), sql.SQL(options), sql.Literal(secret)
        )
        with self.connect() as connection:
            connection.execute(statement)
        return secret

    def create_database(self, name: str, owner: str = ADMIN, template: str = "template0") -> None:
        """Create a database."""
        statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
        with self.connect() as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(owner), sql.Identifier(template)))

    def drop_database(self, name: str) -> None:
        """Drop a database, ending its sessions."""
        with self.connect() as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))

    def drop_role(self, name: str) -> None:
        """Drop a role if there is one, ending its sessions. Its databases, and what it owns in them, must be gone."""
        with self.connect() as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [name])
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
                for statement in ("DROP OWNED BY {}", "DROP ROLE {}"):
                    connection.execute(sql.SQL(statement).format(sql.Identifier(name)))

    def configure(self, **settings: str | None) -> None:
        """ALTER SYSTEM and reload; None takes a setting back. What needs a restart needs `restart()`."""
        with self.connect() as connection:
            for name, value in settings.items():
                setting = sql.Identifier(*name.split("__"))
                if value is None:
                    connection.execute(sql.SQL("ALTER SYSTEM RESET {}").format(setting))
                else:
                    connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(setting, sql.Literal(value)))
            connection.execute("SELECT pg_reload_conf()")

    def load(self, database: str, file: Path, **variables: str) -> None:
        """Run a script or a plain dump (.sql or .sql.gz) through psql. Raises EngineError with what psql said."""
        text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        command = [str(client_program("psql", self.major)), "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        command += [f"-v{name}={value}" for name, value in variables.items()]
        environment = {**os.environ, "PGPASSWORD": self.password, "PGOPTIONS": "-c client_min_messages=warning"}
        done = subprocess.run(
            [*command, self.dsn(database, password="")],
            input=text,
            capture_output=True,
            env=environment,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise EngineError(f"loading {file.name} into {database}: {done.stderr.decode(errors='replace').strip()}")

    def add_standby(
        self,
        name: str,
        *,
        application_name: str | None = None,
        through: tuple[str, int] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> PostgresServer:
        """A streaming standby made by pg_basebackup, not started; `application_name` is its name unless said otherwise.

        `through` is another address of this server, such as a proxy's, which the standby then follows.
        """
        host, port = through or (self.host, self.port)
        data = self.run.folder(name, private_to=self.run.user)
        self._base_backup(data)
        standby = PostgresServer(self.run, name, self.binaries, data, self.password)
        follow = psycopg.conninfo.make_conninfo(
            host=host,
            port=port,
            user=ADMIN,
            password=self.password,
            application_name=application_name or name,
            sslmode="disable",
        )
        changes = {"port": str(standby.port), "primary_conninfo": follow, "hot_standby": "on", **(settings or {})}
        write_settings(data, changes, self.run.user)
        (data / "standby.signal").touch()
        (data / "standby.signal").chmod(0o644)
        return standby

    def wait_streaming(self, standby: str, timeout: float = 60.0) -> None:
        """Wait until the standby of that name streams from this server."""
        question = "SELECT count(*) FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'"
        wait_until(lambda: self.value("postgres", question, [standby]), timeout, f"{standby} streams from {self.name}")

    def _base_backup(self, data: Path) -> None:
        # A newer pg_basebackup serves older servers too. It runs as the server's user, who must be able to reach it.
        client = reachable(self.run, with_client("pg_basebackup", self.major))
        program = str(client.path / "pg_basebackup")
        command = [program, "-D", str(data), "-d", self.dsn(password=""), "-X", "stream", "-c", "fast", "--no-sync"]
        done = self.run.call(command, user=self.run.user, env={"PGPASSWORD": self.password}, timeout=120)
        if done.returncode:
            raise EngineError(f"pg_basebackup from {self.name}: {done.stderr.strip()}")

    def _answers(self) -> bool:
        try:
            with self.connect():
                return True
        except psycopg.OperationalError:
            return False

    def _process(self) -> Process:
        if self.process is None:
            raise EngineError(f"{self.name} was not started")
        return self.process
