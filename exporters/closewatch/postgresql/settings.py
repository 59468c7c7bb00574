"""What can be configured of a PostgreSQL server: where it is, how to log in, which of its databases to watch."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from closewatch.core.secrets import Secret
from closewatch.core.settings import ConfigPath, Model, TargetSettings
from closewatch.core.source import Source
from closewatch.sources.address import address

DISCOVERY_GROUPS = ("tenant", "environment")
DEFAULT_PORT = 5432


def _pattern(text: str) -> str:
    try:
        groups = re.compile(text).groupindex
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    for group in groups:
        if group not in DISCOVERY_GROUPS:
            raise ValueError(f"the group {group!r} has no meaning; allowed: {', '.join(DISCOVERY_GROUPS)}")
    return text


def _address_text(text: str) -> str:
    address(text, DEFAULT_PORT)
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


class Tls(Model):
    """How the connection is protected; the words are libpq's."""

    mode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = Field(
        "prefer", description="As libpq's sslmode. Only verify-full is safe against a man in the middle."
    )
    ca: ConfigPath | None = Field(
        None, description="File of the certificate authority that the server's certificate is checked by."
    )
    certificate: ConfigPath | None = Field(None, description="File of the client certificate.")
    key: ConfigPath | None = Field(None, description="File of the client certificate's key.")

    def parameters(self) -> dict[str, str]:
        """As connection parameters of libpq."""
        files = {"sslrootcert": self.ca, "sslcert": self.certificate, "sslkey": self.key}
        return {"sslmode": self.mode, **{name: str(path) for name, path in files.items() if path}}


class Discover(Model):
    """Databases to watch as Odoo's, found by their names."""

    databases: Pattern = Field(
        description="Regular expression for a database's whole name; the groups `tenant` and `environment` give labels."
    )
    name: str = Field(
        "{database}", description="Name of the target; {database} and {server} are filled in.", max_length=100
    )


class PostgresqlTarget(TargetSettings):
    """A PostgreSQL server, or a cluster of a primary and its standbys."""

    kind: Literal["postgresql"]
    hosts: Annotated[tuple[Annotated[str, AfterValidator(_address_text)], ...], Field(min_length=1, max_length=16)] = (
        Field(
            description="Where the members of the cluster listen, as host:port. Which one is the primary is measured."
        )
    )
    user: str = Field(min_length=1, max_length=63, description="The weak role that closewatch logs in as.")
    password: Secret | None = Field(
        None, description="Where the role's password is kept; none for certificates or peer login."
    )
    database: str = Field("postgres", min_length=1, max_length=63, description="The database whose session is held.")
    tls: Tls = Field(Tls.model_construct(), description="TLS to the server.")
    standbys: int = Field(
        default_factory=lambda data: max(0, len(data.get("hosts", ())) - 1),
        ge=0,
        le=64,
        description="Streaming standbys expected; by default the hosts less one.",
    )
    discover: tuple[Discover, ...] = Field((), description="Which databases are watched as Odoo's.")
    ignore: Pattern | None = Field(None, description="Regular expression of databases that are not watched on purpose.")

    @model_validator(mode="after")
    def _hosts_once(self) -> PostgresqlTarget:
        if len({address(host, DEFAULT_PORT) for host in self.hosts}) < len(self.hosts):
            raise ValueError("hosts: the same address is there twice")
        return self

    def source(self, above: Source | None) -> Source:
        """Asked as a cluster, by one held session a member."""
        from closewatch.sources.pgaccess import Access  # noqa: PLC0415 - psycopg is an extra
        from closewatch.sources.postgres import Cluster  # noqa: PLC0415

        addresses = tuple(address(host, DEFAULT_PORT) for host in self.hosts)
        return Cluster(Access(addresses, self.user, self.password, self.database, self.tls.parameters()))
