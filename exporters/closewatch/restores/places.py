"""Where the backup of a plan comes from, as it is configured: exactly one origin."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from closewatch.backups.found import Type
from closewatch.backups.settings import FolderPlace, PgbackrestPlace, S3Place
from closewatch.core.settings import ConfigPath, Model, NoEcho
from closewatch.restores.why import Failed, Why
from closewatch.sources.store import Store

if TYPE_CHECKING:
    from closewatch.restores.origins.barmancloud import BarmanCloud
    from closewatch.restores.origins.dump import Dump
    from closewatch.restores.origins.files import Files
    from closewatch.restores.origins.odoozip import OdooZip
    from closewatch.restores.origins.restic import Restic
    from closewatch.restores.settings import RestoresTarget

Command = tuple[Annotated[str, StringConstraints(min_length=1)], ...]


class BarmanPlace(Model):
    """A server in Barman's configuration."""

    server: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")] = Field(
        max_length=128, description="Its name in Barman's configuration."
    )
    config: ConfigPath | None = Field(None, description="Barman's configuration file; default: the program's own.")
    command: Command = Field(
        ("barman",), min_length=1, max_length=16, description="The program. Never a secret: arguments are visible."
    )


class BarmanCloudPlace(Model):
    """What barman-cloud-backup, or CloudNativePG by it, keeps of a server in a bucket."""

    s3: S3Place = Field(description="The bucket; `prefix` ends where the folder of the server begins.")
    server: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")] = Field(
        max_length=128, description="Name of the server; CloudNativePG's is the cluster's, or its `serverName`."
    )

    def make(self) -> BarmanCloud:
        """The origin at work."""
        from closewatch.restores.origins.barmancloud import BarmanCloud  # noqa: PLC0415 - botocore is an extra
        from closewatch.sources.s3.tree import Tree  # noqa: PLC0415

        access = self.s3.access()
        prefix = f"{access.prefix.strip('/')}/".removeprefix("/")
        return BarmanCloud(Tree(replace(access, prefix=prefix)), self.server)


class WalgPlace(Model):
    """A storage of WAL-G."""

    config: ConfigPath | None = Field(None, description="Its configuration file; default: the program's own.")
    command: Command = Field(
        ("wal-g",), min_length=1, max_length=16, description="The program. Never a secret: arguments are visible."
    )


class BaseBackupPlace(Model):
    """Folders that pg_basebackup wrote."""

    path: ConfigPath = Field(description="The folder with the backups, a folder each.")
    wal: ConfigPath | None = Field(
        None, description="The folder with archived WAL; without one, the backups bring theirs."
    )


class FilesPlace(Model):
    """Files in a folder or a bucket: what counts as a good one is judged as kind backups judges it."""

    folder: FolderPlace | None = Field(None, description="Files in a folder.")
    s3: S3Place | None = Field(None, description="Objects in a bucket.")

    @model_validator(mode="after")
    def _one(self) -> FilesPlace:
        if (self.folder is None) == (self.s3 is None):
            raise ValueError("name one place: folder or s3")
        return self

    def files(self, types: Collection[Type], *, filestore: bool = False) -> Files:
        """The good ones of these types."""
        from closewatch.restores.origins.files import Files  # noqa: PLC0415 - only where it is configured

        place = self.folder or self.s3
        assert place is not None
        settle = 0.0 if self.folder is None else self.folder.settle
        return Files(place.store(), types, settle, filestore)


class ResticPlace(Model):
    """Snapshots of restic that hold dumps or Odoo zips."""

    repository: Annotated[str, NoEcho()] = Field(min_length=1, max_length=1024, description="The repository.")
    password: ConfigPath = Field(description="File with its password.")
    holds: Literal["dump", "odoo_zip"] = Field("dump", description="What lies in a snapshot.")
    pattern: str = Field("*", min_length=1, max_length=300, description="Where in it, level by level: */dumps/*.dump")
    host: str | None = Field(None, max_length=253, description="Only snapshots of this host.")
    tags: tuple[str, ...] = Field((), description="Only snapshots with all of these tags.")
    path: str | None = Field(None, max_length=1024, description="Only snapshots of this path.")
    command: Command = Field(
        ("restic",), min_length=1, max_length=16, description="The program. Never a secret: arguments are visible."
    )

    def make(self, plan: RestoresTarget) -> Restic:
        """The origin at work."""
        from closewatch.restores.origins.restic import Repository, Restic  # noqa: PLC0415 - only where it is configured
        from closewatch.sources.folder import Folder  # noqa: PLC0415

        named = {name: getattr(self, name) for name in ("repository", "command", "host", "tags", "path")}
        inside = _of_files(self.holds, lambda types: _Files(Folder(Path("/"), self.pattern), types), plan)
        return Restic(Repository(password=Path(self.password), **named), inside, self.pattern)


def _of_files(holds: str, files: Callable[[Collection[Type]], Files], plan: RestoresTarget) -> Dump | OdooZip:
    """The origin of files of a kind."""
    if holds == "odoo_zip":
        from closewatch.restores.origins.odoozip import OdooZip  # noqa: PLC0415 - only where it is configured

        return OdooZip(files((Type.ODOO_ZIP,)), plan.dumped)
    from closewatch.restores.origins.dump import TYPES, Dump  # noqa: PLC0415

    return Dump(files(TYPES), plan.dumped, plan.jobs)


def _Files(store: Store, types: Collection[Type]) -> Files:  # noqa: N802 - reads as the type
    from closewatch.restores.origins.files import Files  # noqa: PLC0415 - only where it is configured

    return Files(store, types)


class OriginSettings(Model):
    """One origin."""

    pgbackrest: PgbackrestPlace | None = Field(None, description="A repository of pgBackRest.")
    barman: BarmanPlace | None = Field(None, description="A server of Barman.")
    barman_cloud: BarmanCloudPlace | None = Field(
        None, description="A bucket that barman-cloud-backup fills, as CloudNativePG does."
    )
    walg: WalgPlace | None = Field(None, description="A storage of WAL-G.")
    basebackup: BaseBackupPlace | None = Field(None, description="Folders of pg_basebackup, and archived WAL.")
    dump: FilesPlace | None = Field(None, description="Files of pg_dump, in any of its formats.")
    odoo_zip: FilesPlace | None = Field(None, description="Odoo's own zip files.")
    restic: ResticPlace | None = Field(None, description="Snapshots of restic that hold such files.")
    volume_snapshot: str | None = Field(
        None, max_length=253, description="A snapshot of a volume, by name: it can't be tested here, and that is said."
    )

    @model_validator(mode="after")
    def _one(self) -> OriginSettings:
        named = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(named) != 1:
            said = f"here are {' and '.join(named)}" if named else "here is none"
            raise ValueError(f"name one origin: {', '.join(type(self).model_fields)}; {said}")
        return self

    @property
    def name(self) -> str:
        """Which one."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def physical(self) -> bool:
        """Whether it brings back a whole cluster."""
        return self.name in {"pgbackrest", "barman", "barman_cloud", "walg", "basebackup"}

    def make(self, plan: RestoresTarget) -> Any:
        """The origin at work."""
        if self.physical:
            return self._make_physical(plan)
        if self.restic is not None:
            return self.restic.make(plan)
        if self.volume_snapshot is not None:
            raise Failed(Why.CANNOT_TEST, "a snapshot of a volume can't be restored without the cluster that made it")
        place = self.dump or self.odoo_zip
        assert place is not None
        return _of_files(self.name, place.files, plan)

    def _make_physical(self, plan: RestoresTarget) -> Any:
        if self.barman_cloud is not None:
            return self.barman_cloud.make()
        if self.walg is not None:
            from closewatch.restores.origins.walg import Walg  # noqa: PLC0415 - the one that is configured

            return Walg(self.walg.command, self.walg.config)
        if self.pgbackrest is not None:
            from closewatch.restores.origins.pgbackrest import Pgbackrest  # noqa: PLC0415 - the one that is configured

            of = self.pgbackrest
            return Pgbackrest(of.command, of.stanza, of.repo, of.config, plan.jobs)
        if self.barman is not None:
            from closewatch.restores.origins.barman import Barman  # noqa: PLC0415

            return Barman(self.barman.command, self.barman.server, self.barman.config)
        assert self.basebackup is not None
        from closewatch.restores.origins.basebackup import BaseBackup  # noqa: PLC0415

        wal = self.basebackup.wal
        return BaseBackup(Path(self.basebackup.path), Path(wal) if wal else None)
