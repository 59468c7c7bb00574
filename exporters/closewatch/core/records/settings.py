"""What can be configured of the records: where they are kept, for how long, who signs, and where copies go."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from closewatch.core.records.copies import Copy, to_folder, to_syslog
from closewatch.core.records.sqlite import SqliteStore
from closewatch.core.records.store import Store
from closewatch.core.secrets import Secret
from closewatch.core.settings import ConfigPath, Model


class SyslogCopy(Model):
    """A syslog on another host."""

    host: str = Field(min_length=1, max_length=253, description="Its name or address.")
    port: int = Field(514, ge=1, le=65535, description="Its port.")
    protocol: Literal["tcp", "udp"] = Field("tcp", description="By udp nobody knows whether a message arrived.")


class CopySettings(Model):
    """One place for copies of the signed heads."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Name of the copy.")
    folder: ConfigPath | None = Field(None, description="A folder that this host can't delete from, such as WORM.")
    syslog: SyslogCopy | None = Field(None, description="A syslog on another host.")

    @model_validator(mode="after")
    def _one(self) -> CopySettings:
        if (self.folder is None) == (self.syslog is None):
            raise ValueError("name one place: folder or syslog")
        return self

    def make(self) -> Copy:
        """The way to copy."""
        if self.syslog is not None:
            return to_syslog(self.syslog.host, self.syslog.port, tcp=self.syslog.protocol == "tcp")
        assert self.folder is not None
        return to_folder(self.folder)


class RecordsSettings(Model):
    """Where results of scheduled checks are kept as evidence."""

    path: ConfigPath = Field(description="The file, on a local disk; it is made where it isn't there.")
    keep_months: int = Field(24, ge=1, le=240, description="So long what a check found is kept; that it ran stays.")
    signing_key: Secret | None = Field(
        None, description="The private key (Ed25519, PEM) that signs each day's heads: `closewatch records key`."
    )
    copies: tuple[CopySettings, ...] = Field((), description="Where the signed heads are kept beside the store.")

    def store(self, *, read_only: bool) -> Store:
        """The store, opened. Raises StoreError."""
        return SqliteStore(Path(self.path), read_only=read_only)
