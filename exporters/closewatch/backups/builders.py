"""From the settings of a place to who asks it: one small function for each kind of place, by its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from closewatch.backups.rows import Tables
from closewatch.core.deadline import Deadline

if TYPE_CHECKING:
    from closewatch.backups.place import Files
    from closewatch.backups.settings import FolderPlace, PgbackrestPlace, S3Place
    from closewatch.backups.tool_settings import (
        BarmanPlace,
        BaseBackupPlace,
        CloudNativePgPlace,
        ResticPlace,
        VeleroPlace,
        WalgPlace,
    )

Look = Callable[[Deadline], Tables]
Built = tuple[Look, Callable[[], None]]
"""How to look, and how to let go of what is held."""


def _nothing() -> None:
    """There is nothing to let go of."""


def files(of: Any) -> Files:
    """The files of a folder or bucket; a bucket's client is an extra."""
    from closewatch.backups.place import Files as Looking  # noqa: PLC0415

    opaque = of.content == "opaque"
    if hasattr(of, "bucket"):
        from closewatch.sources.s3.bucket import Access, Bucket  # noqa: PLC0415 - botocore is an extra

        named = ("bucket", "prefix", "endpoint", "region", "access_key", "secret_key", "session_token", "path_style")
        given = {name: getattr(of, name) for name in named}
        bucket = Bucket(Access(ca=str(of.ca) if of.ca else None, **given), of.pattern)
        return Looking(bucket, opaque=opaque, filestore=of.filestore, settle=0.0)
    from closewatch.sources.folder import Folder  # noqa: PLC0415

    return Looking(Folder(of.path, of.pattern), opaque=opaque, filestore=of.filestore, settle=of.settle)


def _files(of: FolderPlace | S3Place) -> Built:
    found = files(of)
    return found.look, found.store.close


def _pgbackrest(of: PgbackrestPlace) -> Built:
    from closewatch.backups.pgbackrest import Stanza  # noqa: PLC0415

    return Stanza(of.command, of.stanza, of.repo, str(of.config) if of.config else None).look, _nothing


def _barman(of: BarmanPlace) -> Built:
    from closewatch.backups.barman import Server  # noqa: PLC0415

    config = str(of.config) if of.config else None
    return Server(of.command, of.server, config, of.wals, of.segment_size * 1024 * 1024).look, _nothing


def _walg(of: WalgPlace) -> Built:
    from closewatch.backups.walg import Storage  # noqa: PLC0415

    config = str(of.config) if of.config else None
    return Storage(of.command, config, of.environment, verify_wal=of.verify_wal).look, _nothing


def _restic(of: ResticPlace) -> Built:
    from closewatch.backups.restic import Repository  # noqa: PLC0415

    return Repository(of.command, of.repository, of.password, of.narrowed()).look, _nothing


def _basebackup(of: BaseBackupPlace) -> Built:
    from closewatch.backups.basebackup import BaseBackups  # noqa: PLC0415

    return BaseBackups(of.path, of.wal, of.segment_size * 1024 * 1024).look, _nothing


def _velero(of: VeleroPlace) -> Built:
    from closewatch.backups.velero import Velero  # noqa: PLC0415
    from closewatch.sources.kubernetes.api import Kubernetes  # noqa: PLC0415

    return Velero(Kubernetes(of.kubernetes), of.namespace, of.schedule).look, _nothing


def _cloudnativepg(of: CloudNativePgPlace) -> Built:
    from closewatch.backups.cloudnativepg import CloudNativePG  # noqa: PLC0415
    from closewatch.sources.kubernetes.api import Kubernetes  # noqa: PLC0415

    return CloudNativePG(Kubernetes(of.kubernetes), of.namespace, of.cluster).look, _nothing


BUILDERS: Mapping[str, Callable[[Any], Built]] = {
    "folder": _files,
    "s3": _files,
    "pgbackrest": _pgbackrest,
    "barman": _barman,
    "walg": _walg,
    "restic": _restic,
    "basebackup": _basebackup,
    "velero": _velero,
    "cloudnativepg": _cloudnativepg,
}
