"""What can be configured of a place with backups: exactly one of a folder, a bucket, or what a tool keeps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from closewatch.backups import verification
from closewatch.backups.builders import BUILDERS
from closewatch.backups.posture_settings import PostureSettings
from closewatch.backups.tool_settings import (
    BarmanPlace,
    BaseBackupPlace,
    CloudNativePgPlace,
    ResticPlace,
    VeleroPlace,
    VerifySettings,
    WalgPlace,
)
from closewatch.core.checks import Check
from closewatch.core.collectors import Collector
from closewatch.core.settings import ConfigPath, Label, Model, TargetSettings
from closewatch.core.source import Source
from closewatch.sources.s3.place import BucketPlace
from closewatch.sources.store import Store


def _pattern(text: str) -> str:
    if text.startswith("/") or "**" in text or any(not level for level in text.split("/")):
        raise ValueError("is not a pattern of names below the place, such as *.dump or */acme-*.zip; ** is not known")
    return text


def _stanza(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", text):
        raise ValueError("is not the name of a stanza: letters, digits, dots, hyphens and underscores")
    return text


Pattern = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_pattern)]


class Files(Model):
    """What folders and buckets have in common."""

    pattern: Pattern = Field(
        "*",
        description="Which files are backups, such as *.dump; with / for folders below. Others are not looked at.",
    )
    content: Literal["inspect", "opaque"] = Field(
        "inspect",
        description="opaque: encrypted files, judged by name, size and time alone, without a right to read them.",
    )
    filestore: bool = Field(True, description="Whether an Odoo zip without a filestore counts as incomplete.")


class FolderPlace(Files):
    """A folder on this host, or mounted."""

    path: ConfigPath = Field(description="The folder; relative to the folder of this file.")
    settle: float = Field(
        600.0,
        ge=1,
        le=86_400,
        description="Seconds for which a file must not have changed, where its format doesn't show that it is whole.",
    )

    def store(self) -> Store:
        """The way to list and read it."""
        from closewatch.sources.folder import Folder  # noqa: PLC0415 - loaded where it is configured

        return Folder(self.path, self.pattern)


class S3Place(Files, BucketPlace):
    """A prefix in a bucket of S3, or of what speaks its language."""

    def store(self) -> Store:
        """The way to list and read it."""
        from closewatch.sources.s3.bucket import Bucket  # noqa: PLC0415 - botocore is an extra

        return Bucket(self.access(), self.pattern)


class PgbackrestPlace(Model):
    """A stanza in a repository of pgBackRest, as the program sees it from this host."""

    stanza: Annotated[str, AfterValidator(_stanza)] = Field(max_length=128, description="Name of the stanza.")
    repo: int = Field(1, ge=1, le=256, description="Number of the repository; a target for each.")
    config: ConfigPath | None = Field(None, description="Its configuration file; default: the program's own.")
    command: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = Field(
        ("pgbackrest",),
        min_length=1,
        max_length=16,
        description="The program, such as [sudo, -n, -u, postgres, pgbackrest]. Never a secret: arguments are visible.",
    )


class BackupsTarget(TargetSettings):
    """One place with backups of one thing."""

    kind: Literal["backups"]
    folder: FolderPlace | None = Field(None, description="Files in a folder.")
    s3: S3Place | None = Field(None, description="Objects in a bucket.")
    pgbackrest: PgbackrestPlace | None = Field(None, description="Backups of pgBackRest.")
    barman: BarmanPlace | None = Field(None, description="Backups of Barman.")
    walg: WalgPlace | None = Field(None, description="Backups of WAL-G.")
    restic: ResticPlace | None = Field(None, description="Snapshots of restic.")
    basebackup: BaseBackupPlace | None = Field(None, description="Backups of pg_basebackup, and archived WAL.")
    velero: VeleroPlace | None = Field(None, description="Backups of Velero.")
    cloudnativepg: CloudNativePgPlace | None = Field(None, description="Backups of a cluster of CloudNativePG.")
    pair: Label | None = Field(
        None, description="The target of kind backups with the filestore, or the database, that belongs to this one."
    )
    database: str | None = Field(
        None, min_length=1, max_length=63, description="The database that it would bring back, where it is one."
    )
    verify: VerifySettings | None = Field(
        None,
        description="Let the tool verify its backups, or read a file whole, by `closewatch work`; off without.",
    )
    every: float = Field(300.0, ge=1, le=3600, description="Seconds between two looks at the place.")
    posture: PostureSettings | None = Field(
        None,
        description="Watch how the bucket is protected, and signs of tampering, by `closewatch work`; off without.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> BackupsTarget:
        named = [name for name in BUILDERS if getattr(self, name) is not None]
        if len(named) != 1:
            said = f"here are {' and '.join(named)}" if named else "here is none"
            *others, last = BUILDERS
            raise ValueError(f"name one place: {', '.join(others)} or {last}; {said}. Two places are two targets")
        if self.verify is not None and named[0] in {"walg", "velero", "cloudnativepg"}:
            raise ValueError(f"verify: {named[0]} has no verification of its backups that could be run from here")
        return self

    @model_validator(mode="after")
    def _pair_of_two(self) -> BackupsTarget:
        if self.pair == self.name:
            raise ValueError("pair: names another target, not this one")
        return self

    @model_validator(mode="after")
    def _posture_of_a_bucket(self) -> BackupsTarget:
        if self.posture is not None and self.s3 is None:
            raise ValueError("posture is that of a bucket: it belongs to s3")
        return self

    @property
    def place(self) -> str:
        """The key of its place."""
        return next(name for name in BUILDERS if getattr(self, name) is not None)

    def asked(self, collectors: Sequence[Collector]) -> tuple[Collector, ...]:
        """All of them, as often as is configured; what a check records, where there is the check."""
        there = {"", *(check.name for check in self.checks())}
        return tuple(replace(one, every=self.every) for one in collectors if one.recorded in there)

    def checks(self) -> tuple[Check, ...]:
        """What `closewatch work` looks at."""
        return self._posture() + verification.checks(self.place, getattr(self, self.place), self.verify)

    def _posture(self) -> tuple[Check, ...]:
        if self.s3 is None or self.posture is None:
            return ()
        from closewatch.backups.posture_check import check  # noqa: PLC0415 - botocore is an extra

        return (check(self.s3, self.posture, self.name),)

    def source(self, above: Source | None) -> Source:
        """Asked aside, by its own kind of client."""
        from closewatch.backups.place import Place  # noqa: PLC0415 - loaded where it is configured

        look, close = BUILDERS[self.place](getattr(self, self.place))
        return Place(look, close, self.name)
