"""A real PgBouncer in a run folder, in front of a PostgreSQL server of the same run.

It is started as root where we are root, and changes to the unprivileged user by itself, as its package's service does:
so the program and its libraries need not be reachable by that user. Every login needs a password (SCRAM).
"""

from __future__ import annotations

import secrets
import shutil
import signal
from collections.abc import Mapping
from typing import Any

import psycopg

from closewatch.engines.binaries import find
from closewatch.engines.folder import HOST, RunFolder, free_port
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.process import Process

ADMIN = "bouncer_admin"


class PgbouncerServer:
    """One PgBouncer. `databases` are its aliases and their parameters; the server's address is filled in."""

    host = HOST

    def __init__(
        self,
        run: RunFolder,
        server: PostgresServer,
        name: str = "pgbouncer",
        *,
        settings: Mapping[str, str] | None = None,
        databases: Mapping[str, str] | None = None,
    ) -> None:
        self.run = run
        self.server = server
        self.name = name
        self.port = free_port()
        self.folder = run.folder(name, private_to=run.user)
        self.password = secrets.token_urlsafe(18)
        self.process: Process | None = None
        self._users: dict[str, str] = {}
        self._settings = {
            "listen_addr": HOST,
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": str(self.folder / "userlist.txt"),
            "admin_users": ADMIN,
            "server_login_retry": "1",
            **({"user": run.user} if run.user else {}),
            **(settings or {}),
        }
        self._databases = dict(databases or {"*": ""})
        self.allow(ADMIN, self.password)

    @property
    def address(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"

    def allow(self, user: str, password: str) -> None:
        """Let a user log in; from the next start or reload on."""
        self._users[user] = password
        lines = [f"{_quoted(name)} {_quoted(secret)}\n" for name, secret in self._users.items()]
        self._write("userlist.txt", "".join(lines))

    def configure(self, **settings: str) -> None:
        """Change settings; from the next start or reload on."""
        self._settings.update(settings)
        self._write_settings()

    def start(self, *, wait: bool = True) -> PgbouncerServer:
        """Start, and wait until it answers."""
        self._write_settings()
        command = [str(find("pgbouncer")), "-q", str(self.folder / "pgbouncer.ini")]
        self.process = self.run.spawn(self.name, command, cwd=self.folder, parent_death=signal.SIGQUIT)
        if wait:
            self.process.wait_ready(self._answers)
        return self

    def stop(self) -> None:
        """End it at once, with all sessions. A frozen one is woken."""
        if self.process is not None:
            self.process.stop(signal.SIGTERM)

    def remove(self) -> None:
        """Stop it and remove its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pause(self) -> None:
        """Freeze its process: connections stay open, nothing answers. The console's PAUSE is another thing."""
        assert self.process is not None
        self.process.pause()

    def resume(self) -> None:
        """Let a frozen process go on."""
        assert self.process is not None
        self.process.resume()

    def dsn(self, database: str, user: str, password: str) -> str:
        """A connection string through it."""
        return psycopg.conninfo.make_conninfo(
            host=self.host, port=self.port, dbname=database, user=user, password=password, connect_timeout=5
        )

    def admin(self, command: str, user: str = ADMIN, password: str | None = None) -> list[dict[str, Any]]:
        """Run a command of its console by the simple protocol; gives the rows. Raises psycopg.Error."""
        connection = psycopg.connect(self.dsn("pgbouncer", user, password or self.password), autocommit=True)
        try:
            cursor = psycopg.ClientCursor(connection, row_factory=psycopg.rows.dict_row)
            cursor.execute(command.encode())
            return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def _answers(self) -> bool:
        try:
            return bool(self.admin("SHOW VERSION"))
        except psycopg.OperationalError:
            return False

    def _write_settings(self) -> None:
        place = f"host={self.server.host} port={self.server.port}"
        lines = ["[databases]", *(f"{name} = {place} {more}" for name, more in self._databases.items())]
        lines += ["[pgbouncer]", *(f"{name} = {value}" for name, value in self._settings.items())]
        self._write("pgbouncer.ini", "\n".join(lines) + "\n")

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        if self.run.user:
            shutil.chown(path, self.run.user)


def _quoted(text: str) -> str:
    escaped = text.replace('"', '""')
    return f'"{escaped}"'
