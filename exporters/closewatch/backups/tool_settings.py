"""What can be configured of places that a tool keeps: Barman, WAL-G, restic, pg_basebackup, Velero, CloudNativePG."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from closewatch.core.hours import HoursText, ZoneName
from closewatch.core.secrets import Secret
from closewatch.core.settings import ConfigPath, Model, NoEcho
from closewatch.sources.kubernetes.access import KubernetesLogin

Argument = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Command = Annotated[tuple[Argument, ...], Field(min_length=1, max_length=16)]
Plain = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_/][A-Za-z0-9_.:/ -]*$", max_length=255)]
"""What becomes an argument of a program: never an option."""
KubernetesName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
_SECRET = "Never a secret: arguments are visible."  # noqa: S105 - a sentence


def _power(size: int) -> int:
    if size & (size - 1):
        raise ValueError("is not a size that PostgreSQL knows: 1, 2, 4 ... 1024")
    return size


SegmentSize = Annotated[
    int,
    Field(ge=1, le=1024, description="Size of a segment of WAL in MiB, where the cluster was made with another."),
    AfterValidator(_power),
]


class BarmanPlace(Model):
    """A server of Barman's, as the program sees it from this host."""

    server: Plain = Field(description="Name of the server in Barman's configuration.")
    command: Command = Field(("barman",), description=f"The program, such as [sudo, -n, -u, barman, barman]. {_SECRET}")
    config: ConfigPath | None = Field(None, description="Its configuration file; default: the program's own.")
    wals: ConfigPath | None = Field(
        None, description="The server's folder of WAL, with xlog.db in it; without it, holes in the WAL aren't seen."
    )
    segment_size: SegmentSize = 16


class WalgPlace(Model):
    """A storage of WAL-G's."""

    command: Command = Field(("wal-g",), description=f"The program. {_SECRET}")
    config: ConfigPath | None = Field(None, description="Its configuration file; default: the program's own.")
    environment: ConfigPath | None = Field(
        None, description="A file of lines NAME=value with what it needs of its environment, secrets too."
    )
    verify_wal: bool = Field(True, description="Whether `wal-verify integrity` is run too, with each look.")


class ResticPlace(Model):
    """A repository of restic's, or what one host keeps in it."""

    repository: Annotated[Argument, NoEcho()] = Field(description="Where it is, in restic's own words.")
    password: Secret = Field(description="Where its password is kept.")
    command: Command = Field(("restic",), description=f"The program. {_SECRET}")
    host: Plain | None = Field(None, description="Only the snapshots of this host.")
    tags: tuple[Plain, ...] = Field((), max_length=8, description="Only the snapshots with all of these tags.")
    path: Plain | None = Field(None, description="Only the snapshots of this path.")

    def narrowed(self) -> list[str]:
        """The options that say which snapshots are meant."""
        tags = [f"--tag={','.join(self.tags)}"] if self.tags else []
        return [*([f"--host={self.host}"] if self.host else []), *tags, *([f"--path={self.path}"] if self.path else [])]


class BaseBackupPlace(Model):
    """Backups of pg_basebackup, a folder each."""

    path: ConfigPath = Field(description="The folder with the backups.")
    wal: ConfigPath | None = Field(None, description="The folder with archived WAL; without it, there is no window.")
    segment_size: SegmentSize = 16


class _InKubernetes(Model):
    """What both have in common."""

    namespace: KubernetesName = Field(description="The namespace of the objects.")
    kubernetes: KubernetesLogin = Field(
        KubernetesLogin.model_construct(), description="How to log in to the Kubernetes API; needs to list the objects."
    )


class VeleroPlace(_InKubernetes):
    """Backups that Velero makes of a Kubernetes cluster."""

    schedule: KubernetesName | None = Field(None, description="Only the backups of this schedule.")


class CloudNativePgPlace(_InKubernetes):
    """Backups of a cluster that CloudNativePG runs."""

    cluster: KubernetesName = Field(description="The cluster's name.")


class VerifySettings(Model):
    """The tool's own verification, by `closewatch work`."""

    every: float = Field(7 * 86_400.0, ge=60, le=366 * 86_400, description="Seconds between two verifications.")
    limit: float = Field(4 * 3600.0, ge=1, le=7 * 86_400, description="Seconds that one may take at most.")
    window: HoursText | None = Field(None, description='When one may begin, such as "Mon-Fri 22:00-05:00".')
    timezone: ZoneName = Field("UTC", description="The time zone of the window.")
