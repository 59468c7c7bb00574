"""What can be configured of a restore test: a plan is a target of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from closewatch.core.checks import Check, Task, Verdict
from closewatch.core.hours import HoursText, ZoneName
from closewatch.core.settings import ConfigPath, Label, Model, TargetSettings
from closewatch.core.source import Reply, Source
from closewatch.restores.places import FilesPlace, OriginSettings
from closewatch.restores.tested import CHECK
from closewatch.restores.verify.secrets import Key
from closewatch.restores.why import Failed, Why

if TYPE_CHECKING:
    from closewatch.restores.origins import Origin
    from closewatch.restores.scratch import Scratch

GIB = 1024**3
Name = Annotated[str, StringConstraints(min_length=1, max_length=63)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
VERSION = 1


class Point(Model):
    """To which moment a physical backup is recovered."""

    back: float = Field(
        0.0,
        ge=0,
        le=90 * 86_400,
        description="Seconds before the start of the test; 0 is the end of the WAL: as far as it goes.",
    )


class Expected(Model):
    """What must come back. What is not named is not asked for."""

    databases: tuple[Name, ...] = Field((), description="Databases that must be in it, beside `database`.")
    odoo: bool = Field(True, description="Whether `database` must be an Odoo database with books that are right.")
    system_identifier: Annotated[str, StringConstraints(pattern=r"^\d{1,20}$")] | None = Field(
        None, description="That of the cluster, as pg_controldata shows it: a backup of another cluster is refused."
    )
    database_uuid: Word | None = Field(
        None, description="Odoo's database.uuid: a backup of another database under the right name is refused."
    )
    named: Name | None = Field(
        None, description="The database that a dump says it is of, where that is written in it; default: `database`."
    )
    newest_within: float | None = Field(
        None, gt=0, description="Seconds: the newest posted entry must not be older than this at the restored moment."
    )


class FilestoreSettings(Model):
    """Where the attachments of the restored database are. An Odoo zip brings its own."""

    folder: ConfigPath | None = Field(None, description="A copy of the filestore of this database, as a folder.")
    archive: FilesPlace | None = Field(None, description="A place with tarballs or zips of it; the newest is taken.")
    sample: int | None = Field(
        None, ge=1, le=100_000_000, description="Look at so many attachments, at random; default: at all of them."
    )
    processes: int = Field(2, ge=1, le=64, description="So many files are read at once.")

    @model_validator(mode="after")
    def _one(self) -> FilestoreSettings:
        if self.folder is not None and self.archive is not None:
            raise ValueError("name one place: folder or archive")
        return self

    def root(self, scratch: Scratch, origin: Origin) -> Path:
        """The folder with the files. Raises Failed(filestore_incomplete)."""
        if self.folder is not None:
            return self.folder
        if self.archive is not None:
            from closewatch.restores.origins.filestore import TYPES, Filestore  # noqa: PLC0415 - where it is configured

            return Filestore(self.archive.files(TYPES)).fetch(scratch)
        if (own := getattr(origin, "filestore", None)) is not None:
            found: Path = own(scratch)
            return found
        raise Failed(Why.FILESTORE_INCOMPLETE, "the plan names no place of the filestore, and the backup has none")


class SecretsSettings(Model):
    """An archive of secrets that must be decrypted; its content is counted, never kept or shown."""

    file: ConfigPath = Field(description="The encrypted archive.")
    by: Literal["age", "sops", "gpg"] = Field(description="The program that decrypts it.")
    identity: ConfigPath = Field(description="File with the key: age's identities, or an exported secret key of GPG.")
    passphrase: ConfigPath | None = Field(None, description="File with the passphrase of GPG's key, where it has one.")

    def key(self) -> Key:
        """With what it is decrypted."""
        return Key(self.by, self.identity, self.passphrase)


class RestoresTarget(TargetSettings):
    """A plan: one restore test, carried out again and again."""

    belongs_to: ClassVar[tuple[str, str] | None] = ("backups", "backups")

    kind: Literal["restores"]
    backups: Label | None = Field(
        None, description="The target of kind backups that is tested: it gives environment and cell, and is shown."
    )
    origin: OriginSettings = Field(description="Where the backup comes from; exactly one tool or place.")
    database: Name | None = Field(
        None, description="The database that is looked into; default: all databases of a physical backup."
    )
    take: Word = Field("newest", description="Which backup: newest, random, or the name of one.")
    point: Point = Field(Point.model_validate({}), description="The moment that a physical backup is recovered to.")
    expect: Expected = Field(Expected.model_validate({}), description="What must come back.")
    filestore: FilestoreSettings | None = Field(None, description="The attachments of `database`.")
    secrets: SecretsSettings | None = Field(None, description="An archive of secrets to try.")
    configuration: ConfigPath | None = Field(None, description="A folder or archive of configuration that must parse.")
    infrastructure: ConfigPath | None = Field(None, description="A git bundle of infrastructure code.")
    figures: ConfigPath | None = Field(
        None, description="Folder with the figures written when backups were taken: NAME-OF-THE-BACKUP.json."
    )
    amcheck: Literal["all", "books", "none"] = Field(
        "all", description="Which tables are looked at for damage by pg_amcheck: all, those of the books, or none."
    )
    rto: float | None = Field(None, gt=0, description="Seconds that a restore may take at most.")
    rpo: float | None = Field(None, gt=0, description="Seconds of data that may be lost at most.")
    every: float = Field(7 * 86_400.0, ge=60, le=366 * 86_400, description="Seconds between two tests.")
    window: HoursText | None = Field(None, description='When a test may begin, such as "Mon-Fri 22:00-05:00".')
    timezone: ZoneName = Field(
        "UTC", description="The time zone of the window, and of the host that makes dumps: they hold local times."
    )
    limit: float = Field(4 * 3600.0, ge=1, le=7 * 86_400, description="Seconds that a test may take at most.")
    scratch: ConfigPath = Field(
        default_factory=lambda: Path(tempfile.gettempdir()), description="Folder in which the restored data live."
    )
    disk: int = Field(50 * GIB, ge=1024 * 1024, description="Bytes that the restored data may take at most.")
    jobs: int = Field(2, ge=1, le=64, description="So many tables or files are restored at once.")
    segregated: Literal["yes", "no", "unknown"] = Field(
        "unknown", description="Whether the place of the test is segregated from production; kept in the record."
    )

    @model_validator(mode="after")
    def _database_named(self) -> RestoresTarget:
        if self.database is None and not self.origin.physical and self.origin.volume_snapshot is None:
            raise ValueError("database: name the database that the dump is of")
        if self.filestore is not None and self.database is None:
            raise ValueError("filestore: name the database whose attachments these are, by `database`")
        return self

    @model_validator(mode="after")
    def _about_one_database(self) -> RestoresTarget:
        asked = {
            "figures": self.figures,
            "expect.database_uuid": self.expect.database_uuid,
            "expect.newest_within": self.expect.newest_within,
        }
        for key, value in asked.items():
            if value is not None and self.database is None:
                raise ValueError(f"{key} is about one database: name it, by `database`")
        if self.expect.newest_within is not None and not self.expect.odoo:
            raise ValueError("expect.newest_within is about posted entries: it needs expect.odoo")
        return self

    @property
    def dumped(self) -> str | None:
        """The database that a dump must say it is of."""
        return self.expect.named or self.database

    def checks(self) -> tuple[Check, ...]:
        """The test itself."""
        return (
            Check(
                CHECK,
                VERSION,
                _run,
                every=self.every,
                limit=self.limit,
                window=self.window,
                timezone=self.timezone,
            ),
        )

    def source(self, above: Source | None) -> Source:
        """Nothing is asked: all is in the records."""
        return _Nothing()


def _run(task: Task) -> Verdict:
    from closewatch.restores.run import run  # noqa: PLC0415 - it needs engines; a scrape doesn't

    return run(task)


class _Nothing:
    """A source that has nothing to ask."""

    def ask(self, collectors: object, deadline: object) -> Reply:
        """Nothing."""
        return Reply({})

    def close(self) -> None:
        """Nothing is held."""
