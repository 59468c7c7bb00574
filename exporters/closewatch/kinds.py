"""The kinds of targets: the one place that names them all. To add a concern is to add its folder and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from closewatch import alertmanager, backups, certificates, odoo, pgbouncer, postgresql, redis, restores
from closewatch.alertmanager.settings import AlertmanagerTarget
from closewatch.backups.settings import BackupsTarget
from closewatch.certificates.settings import CertificatesTarget
from closewatch.core import config
from closewatch.core.collectors import Collector
from closewatch.core.config import Config
from closewatch.core.settings import TargetSettings
from closewatch.odoo.settings import OdooTarget
from closewatch.pgbouncer.settings import PgbouncerTarget
from closewatch.postgresql.settings import PostgresqlTarget
from closewatch.records.settings import Records
from closewatch.redis.settings import RedisTarget
from closewatch.restores.settings import RestoresTarget


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of target: how it is configured, and what is asked of it."""

    name: str
    settings: type[TargetSettings]
    collectors: tuple[Collector, ...]


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("postgresql", PostgresqlTarget, (*postgresql.COLLECTORS, *postgresql.ABOUT)),
        Kind("pgbouncer", PgbouncerTarget, pgbouncer.COLLECTORS),
        Kind("odoo", OdooTarget, odoo.COLLECTORS),
        Kind("redis", RedisTarget, redis.COLLECTORS),
        Kind("certificates", CertificatesTarget, certificates.COLLECTORS),
        Kind("backups", BackupsTarget, backups.COLLECTORS),
        Kind("alertmanager", AlertmanagerTarget, alertmanager.COLLECTORS),
        Kind("restores", RestoresTarget, restores.COLLECTORS),
    )
}

SETTINGS: Mapping[str, type[TargetSettings]] = {name: kind.settings for name, kind in KINDS.items()}


def load(path: Path) -> Config:
    """The configuration, validated for all kinds. Raises ConfigError."""
    return config.load(path, SETTINGS, Records)


def json_schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) of the configuration file, for editors."""
    return config.json_schema(SETTINGS, Records)
