"""A PgBouncer in front of the second cell's server, and an Odoo that works through it."""

from __future__ import annotations

import secrets

from psycopg import pq

from closewatch.demo.databases import ODOO_ROLE, OTHER_CELL, OTHER_TENANTS, ROLE, Databases
from closewatch.demo.watching import KeepSecret, Targets
from closewatch.engines.folder import RunFolder
from closewatch.engines.pgbouncer import PgbouncerServer

NAME = "pooler-08"
POOL_SIZE = 4


class Pooling:
    """The pooler, with one session of Odoo's that stays."""

    title = "PgBouncer in front of the second cell"
    count = 1

    def __init__(self, run: RunFolder, databases: Databases) -> None:
        self._databases = databases
        self._password = secrets.token_urlsafe(18)
        self.pooler = PgbouncerServer(
            run, databases.other, NAME, settings={"stats_users": ROLE, "default_pool_size": str(POOL_SIZE)}
        )
        self._sessions: list[pq.abc.PGconn] = []

    def start(self) -> None:
        """Start it, and let an Odoo log in."""
        self.pooler.allow(ROLE, self._password)
        self.pooler.allow(ODOO_ROLE, self._databases.odoo_password)
        self.pooler.start()
        self.log_in()

    def log_in(self, statement: str = "SELECT 1") -> pq.abc.PGconn:
        """One more session of Odoo's, and a statement whose answer nobody waits for."""
        database = f"odoo_{OTHER_TENANTS[0]}"
        session = pq.PGconn.connect(self.pooler.dsn(database, ODOO_ROLE, self._databases.odoo_password).encode())
        session.send_query(statement.encode())
        self._sessions.append(session)
        return session

    def targets(self, keep_secret: KeepSecret) -> Targets:
        """The pooler, beside the server behind it."""
        password = {"file": keep_secret(NAME, self._password)}
        place = {"host": self.pooler.address, "server": OTHER_CELL}
        return [{"kind": "pgbouncer", "name": NAME, **place, "user": ROLE, "password": password}]

    def close(self) -> None:
        """End the sessions; the pooler ends with the run folder."""
        for session in self._sessions:
            session.finish()
