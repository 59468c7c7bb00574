"""Where the backup of a plan comes from, as it is configured: exactly one origin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from closewatch.backups.settings import PgbackrestPlace
from closewatch.core.settings import ConfigPath, Model

if TYPE_CHECKING:
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


class BaseBackupPlace(Model):
    """Folders that pg_basebackup wrote."""

    path: ConfigPath = Field(description="The folder with the backups, a folder each.")
    wal: ConfigPath | None = Field(
        None, description="The folder with archived WAL; without one, the backups bring theirs."
    )


class OriginSettings(Model):
    """One origin."""

    pgbackrest: PgbackrestPlace | None = Field(None, description="A repository of pgBackRest.")
    barman: BarmanPlace | None = Field(None, description="A server of Barman.")
    basebackup: BaseBackupPlace | None = Field(None, description="Folders of pg_basebackup, and archived WAL.")

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
        return self.name in {"pgbackrest", "barman", "basebackup"}

    def make(self, plan: RestoresTarget) -> Any:
        """The origin at work."""
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
