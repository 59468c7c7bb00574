"""The servers that are watched: two cells, so that a fault in one is seen not to touch the other.

    pg-07   a primary and a standby that follows it through a proxy; WAL archive on; tenants acme and borealis
    pg-08   one server; tenant corvus

Each tenant's database is small, and lives: a simulator plays its Odoo.
"""

from __future__ import annotations

import secrets
from importlib import resources
from pathlib import Path

import psycopg

from closewatch.demo.simulator import OdooSimulator
from closewatch.demo.watching import KeepSecret, Targets
from closewatch.engines.binaries import newest_postgres
from closewatch.engines.folder import RunFolder
from closewatch.engines.postgres import PostgresServer
from closewatch.engines.proxy import TcpProxy

CELL, TENANTS = "pg-07", ("acme", "borealis")
OTHER_CELL, OTHER_TENANTS = "pg-08", ("corvus",)
STANDBY = "pg-07-b"
ROLE = "closewatch"
ODOO_ROLE = "odoo"
MAX_CONNECTIONS = 40
_SETTINGS = {
    "max_connections": str(MAX_CONNECTIONS),
    "superuser_reserved_connections": "3",
    "max_wal_size": "256MB",
    "checkpoint_timeout": "30s",
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
    "wal_retrieve_retry_interval": "500ms",
    "wal_receiver_status_interval": "1s",
    "track_io_timing": "on",
}
_STATEMENTS = "pg_stat_statements"
_RESERVED = 4
_RESERVED_SINCE = 16


class Databases:
    """The servers of both cells with their tenants."""

    title = "PostgreSQL: a primary with a standby and two tenants, and a second cell"
    count = 2 + len(TENANTS) + len(OTHER_TENANTS)

    def __init__(self, run: RunFolder) -> None:
        binaries = newest_postgres()
        self.archive = run.folder("archive", private_to=run.user)
        settings = dict(_SETTINGS)
        if binaries.major >= _RESERVED_SINCE:
            settings["reserved_connections"] = str(_RESERVED)
        # Some packages of PostgreSQL lack it, and a server that can't load it doesn't start.
        self._counts_statements = any(binaries.path.parent.rglob(f"{_STATEMENTS}.so"))
        if self._counts_statements:
            settings["shared_preload_libraries"] = _STATEMENTS
        archiving = {"archive_mode": "on", "archive_command": f"cp %p {self.archive}/%f", "archive_timeout": "20s"}
        self.primary = PostgresServer.create(run, binaries, "pg-07-a", {**settings, **archiving})
        self.other = PostgresServer.create(run, binaries, "pg-08-a", settings)
        self.standby: PostgresServer | None = None
        self.link = TcpProxy(self.primary.host, self.primary.port)
        self.password = secrets.token_urlsafe(18)
        self.odoo_password = secrets.token_urlsafe(18)
        self.odoos: dict[str, OdooSimulator] = {}

    def start(self) -> None:
        """Start the servers, make the databases, and let their Odoos live."""
        for server in (self.primary, self.other):
            server.start(wait=False)
        for server, tenants in ((self.primary, TENANTS), (self.other, OTHER_TENANTS)):
            server.wait_ready()
            self._prepare(server)
            for tenant in tenants:
                self._add_tenant(server, tenant)
        self.primary.sql("postgres", "SELECT pg_create_physical_replication_slot(%s)", [STANDBY.replace("-", "_")])
        self.standby = self.primary.add_standby(
            STANDBY,
            through=(self.link.host, self.link.port),
            settings={"primary_slot_name": STANDBY.replace("-", "_"), "archive_mode": "off"},
        ).start()
        self.primary.wait_streaming(STANDBY)
        for odoo in self.odoos.values():
            odoo.start()

    def close(self) -> None:
        """Stop what runs in our own process; the servers end with the run folder."""
        for odoo in self.odoos.values():
            odoo.stop()
        for odoo in self.odoos.values():
            odoo.join()
        self.link.close()

    def targets(self, keep_secret: KeepSecret) -> Targets:
        """Both clusters; their tenants are discovered."""
        assert self.standby is not None
        return [
            {
                "kind": "postgresql",
                "name": name,
                "cell": name,
                "hosts": [member.address for member in members],
                "user": ROLE,
                "password": {"file": keep_secret(name, self.password)},
                "discover": [{"databases": "^odoo_(?P<tenant>[a-z0-9]+)$"}],
                "ignore": "^postgres$",
                "storage_limit": "10GiB",
                # Throw-away servers: what a crash would lose is thrown away anyway.
                "access": {
                    "accept": ["fsync", "full_page_writes", "synchronous_commit"],
                    "allow": ["postgres"],  # the demo's own hand
                    "break_glass": ["emergency"],
                },
            }
            for name, members in ((CELL, (self.primary, self.standby)), (OTHER_CELL, (self.other,)))
        ]

    def as_odoo(self, tenant: str = TENANTS[0], **options: str) -> psycopg.Connection[tuple[object, ...]]:
        """A session as Odoo's own role has it, in a tenant's database of the first cell."""
        return self.primary.connect(f"odoo_{tenant}", ODOO_ROLE, self.odoo_password, **options)

    def _prepare(self, server: PostgresServer) -> None:
        """Odoo's role, and closewatch's with the rights that are shipped."""
        server.create_role(ODOO_ROLE, self.odoo_password)
        server.load("postgres", _shipped("postgresql", "grants.sql"), role=ROLE)
        if self._counts_statements:
            server.sql("postgres", f"CREATE EXTENSION {_STATEMENTS}")
        with server.connect() as connection:
            connection.execute(f"ALTER ROLE {ROLE} PASSWORD '{self.password}'".encode())
            if server.major >= _RESERVED_SINCE:
                connection.execute(f"GRANT pg_use_reserved_connections TO {ROLE}".encode())

    def _add_tenant(self, server: PostgresServer, tenant: str) -> None:
        database = f"odoo_{tenant}"
        server.create_database(database, ODOO_ROLE)
        schema = resources.files("closewatch.demo").joinpath("odoo.sql").read_bytes()
        with server.connect(database, ODOO_ROLE, self.odoo_password) as connection:
            connection.execute(schema)
            connection.execute("ANALYZE")
        server.load(database, _shipped("odoo", "grants.sql"), role=ROLE)
        self.odoos[tenant] = OdooSimulator(server, database, ODOO_ROLE, self.odoo_password)


def _shipped(concern: str, name: str) -> Path:
    """A file of a concern, as a path for psql; the package is never run from an archive."""
    return Path(str(resources.files(f"closewatch.{concern}").joinpath(name)))
