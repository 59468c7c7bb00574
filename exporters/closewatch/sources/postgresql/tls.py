"""TLS of a connection that libpq makes, as it is configured: to PostgreSQL and to PgBouncer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from closewatch.core.settings import ConfigPath, Model


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
