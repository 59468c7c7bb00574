"""What can be configured of a bucket's posture: how it is looked at, and what was asked for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from closewatch.core.settings import Model


class PostureSettings(Model):
    """Whether a bucket protects its backups, and signs of tampering. Needs `records:`; on where this section is."""

    every: float = Field(21_600.0, ge=60, le=604_800, description="Seconds between two looks.")
    limit: float = Field(120.0, ge=5, le=3_600, description="Seconds that a look may take.")
    layout: Literal["files", "pgbackrest", "restic", "barman", "walg"] = Field(
        "files",
        description="Whose backups these are: only what that program never rewrites is compared. For pgbackrest and"
        " walg the prefix is the repository, for restic too, for barman (barman-cloud) the server's folder.",
    )
    retention: float | None = Field(
        None,
        ge=1,
        le=36_500,
        description="Days for which each backup is to be kept, that of the shortest kept. What is gone earlier is a"
        " sign of tampering; without it, only what the object lock or the program's own catalogue says is known.",
    )
    locked_days: float | None = Field(
        None, ge=0, le=36_500, description="Days for which the object lock is to hold each backup; default: retention."
    )
