"""What can be configured of the records: where they are kept, for how long, who signs, and where copies go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from closewatch.core.problems import did_you_mean
from closewatch.core.records import Store, StoreError
from closewatch.core.records.copies import Copy, CopyError, in_folder, to_folder, to_syslog
from closewatch.core.records.settings import RecordsSettings
from closewatch.core.secrets import Secret
from closewatch.core.settings import ConfigPath, Model
from closewatch.sources.address import AddressText, address
from closewatch.sources.postgresql.tls import Tls
from closewatch.sources.s3.place import BucketPlace

DEFAULT_PORT = 5432


class PostgresqlLogin(Model):
    """A role and its password."""

    user: str = Field(min_length=1, max_length=63, description="The role.")
    password: Secret | None = Field(None, description="Where the role's password is kept.")


class PostgresqlPlace(PostgresqlLogin):
    """A database of its own in PostgreSQL; not on the servers whose backups and books are checked."""

    hosts: Annotated[tuple[AddressText, ...], Field(min_length=1, max_length=16)] = Field(
        description="Where the members of the cluster listen, as host:port."
    )
    database: str = Field("closewatch", min_length=1, max_length=63, description="The database.")
    reader: PostgresqlLogin | None = Field(
        None, description="The role of who only reads, such as `closewatch serve`; default: the same."
    )
    tls: Tls = Field(Tls.model_construct(), description="TLS to the server.")

    def store(self, *, read_only: bool) -> Store:
        """The store, opened. Raises StoreError."""
        try:
            from closewatch.sources.postgresql.access import Access  # noqa: PLC0415 - psycopg is an extra
            from closewatch.sources.postgresql.recordstore import PostgresqlStore  # noqa: PLC0415
        except ModuleNotFoundError:
            raise StoreError("needs the package psycopg; install it: pip install 'closewatch[postgresql]'") from None
        addresses = tuple(address(host, DEFAULT_PORT) for host in self.hosts)
        login = self.reader if read_only and self.reader is not None else self
        access = Access(addresses, login.user, login.password, self.database, self.tls.parameters())
        return PostgresqlStore(access, read_only=read_only)


class SyslogCopy(Model):
    """A syslog on another host."""

    host: str = Field(min_length=1, max_length=253, description="Its name or address.")
    port: int = Field(514, ge=1, le=65535, description="Its port.")
    protocol: Literal["tcp", "udp"] = Field("tcp", description="By udp nobody knows whether a message arrived.")


def _headcopies() -> Any:
    try:
        from closewatch.sources.s3 import headcopies  # noqa: PLC0415 - botocore is an extra
    except ModuleNotFoundError:
        raise CopyError("needs the package boto3; install it: pip install 'closewatch[backups]'") from None
    return headcopies


class S3Copy(BucketPlace):
    """A bucket with object lock."""

    lock_days: int | None = Field(
        None, ge=1, le=36_500, description="Lock each object for so long; default: as the bucket's own default says."
    )
    locked: bool = Field(True, description="Whether a copy that is not locked counts as failed.")

    def make(self) -> Copy:
        """The way to copy. Raises CopyError where its package is missing."""
        made: Copy = _headcopies().to_bucket(self.access(), days=self.lock_days, locked=self.locked)
        return made

    def heads(self) -> list[tuple[str, str]]:
        """The signed heads as they are there. Raises CopyError."""
        found: list[tuple[str, str]] = _headcopies().in_bucket(self.access())
        return found


class CopySettings(Model):
    """One place for copies of the signed heads."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Name of the copy.")
    folder: ConfigPath | None = Field(None, description="A folder that this host can't delete from, such as WORM.")
    s3: S3Copy | None = Field(None, description="A bucket with object lock, that this host can't delete from.")
    syslog: SyslogCopy | None = Field(None, description="A syslog on another host.")

    @model_validator(mode="after")
    def _one(self) -> CopySettings:
        if sum(place is not None for place in (self.folder, self.s3, self.syslog)) != 1:
            raise ValueError("name one place: folder, s3 or syslog")
        return self

    def make(self) -> Copy:
        """The way to copy."""
        if self.syslog is not None:
            return to_syslog(self.syslog.host, self.syslog.port, tcp=self.syslog.protocol == "tcp")
        if self.s3 is not None:
            return self.s3.make()
        assert self.folder is not None
        return to_folder(self.folder)

    def heads(self) -> list[tuple[str, str]]:
        """The signed heads as they are there, the oldest first. Raises CopyError."""
        if self.syslog is not None:
            raise CopyError("a syslog can't be read back")
        if self.s3 is not None:
            return self.s3.heads()
        assert self.folder is not None
        return in_folder(self.folder)


class Records(RecordsSettings):
    """Where results of scheduled checks are kept as evidence."""

    path: ConfigPath | None = Field(
        None, description="A file on a local disk, for one host; it is made where it isn't there."
    )
    postgresql: PostgresqlPlace | None = Field(None, description="A database, for workers on several hosts.")
    copies: tuple[CopySettings, ...] = Field((), description="Where the signed heads are kept beside the store.")

    @model_validator(mode="after")
    def _one(self) -> Records:
        if (self.path is None) == (self.postgresql is None):
            raise ValueError("name one place: path or postgresql")
        names = [copy.name for copy in self.copies]
        if len(set(names)) < len(names):
            raise ValueError("copies: a name is there twice")
        return self

    def store(self, *, read_only: bool) -> Store:
        """The store, opened. Raises StoreError."""
        if self.postgresql is not None:
            return self.postgresql.store(read_only=read_only)
        from closewatch.core.records.sqlite import SqliteStore  # noqa: PLC0415 - only where it is used

        assert self.path is not None
        return SqliteStore(Path(self.path), read_only=read_only)

    def copiers(self) -> Mapping[str, Callable[[], Copy]]:
        """What makes the ways to copy the signed heads."""
        return {copy.name: copy.make for copy in self.copies}

    def copied_heads(self, name: str) -> Sequence[tuple[str, str]]:
        """The signed heads as a copy has them. Raises CopyError."""
        found = next((copy for copy in self.copies if copy.name == name), None)
        if found is None:
            names = [copy.name for copy in self.copies]
            raise CopyError(
                f"no copy has this name{did_you_mean(name, names)}; there are: {', '.join(names) or 'none'}"
            )
        return found.heads()
