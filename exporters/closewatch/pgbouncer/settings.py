"""What can be configured of a PgBouncer: where its console is, how to log in, and which server is behind it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from closewatch.core.secrets import Secret
from closewatch.core.settings import TargetSettings
from closewatch.core.source import Source
from closewatch.sources.address import AddressText, address
from closewatch.sources.postgresql.tls import Tls

DEFAULT_PORT = 6432


class PgbouncerTarget(TargetSettings):
    """One PgBouncer process. Several behind one address share it by chance: name each by an address of its own."""

    belongs_to: ClassVar[tuple[str, str] | None] = ("server", "postgresql")

    kind: Literal["pgbouncer"]
    host: AddressText = Field(
        description="Where it listens, as host:port or /folder/of/the/socket:port; the port is 6432 unless said."
    )
    user: str = Field(
        min_length=1,
        max_length=63,
        description="A user of its `stats_users`: it may look at everything, change nothing.",
    )
    password: Secret | None = Field(
        None, description="Where the user's password is kept; none for certificates or peer."
    )
    tls: Tls = Field(Tls.model_construct(), description="TLS to PgBouncer.")
    server: str | None = Field(
        None,
        description="Name of the postgresql target behind it, whose environment and cell it shares. Default: none.",
    )

    def source(self, above: Source | None) -> Source:
        """Asked by one held session on its console; the server behind it is asked for itself."""
        from closewatch.sources.postgresql.pgbouncer import Login, Pgbouncer  # noqa: PLC0415 - psycopg is an extra

        place = address(self.host, DEFAULT_PORT)
        return Pgbouncer(Login(place, self.user, self.password, self.tls.parameters()))
