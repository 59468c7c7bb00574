"""What can be configured of an Odoo database that is named one by one; most are found by their server's discovery."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from closewatch.core.settings import TargetSettings
from closewatch.core.source import Source


class OdooTarget(TargetSettings):
    """An Odoo database on a PostgreSQL server of the configuration, whose environment and cell it shares."""

    belongs_to: ClassVar[tuple[str, str] | None] = ("server", "postgresql")

    kind: Literal["odoo"]
    server: str = Field(description="Name of the postgresql target that the database lives on.")
    database: str = Field(min_length=1, max_length=63, description="Name of the database.")

    def source(self, above: Source | None) -> Source:
        """Asked by short visits, with its server's login and within its server's share of sessions."""
        from closewatch.sources.postgresql.cluster import Cluster, Database  # noqa: PLC0415 - psycopg is an extra

        assert isinstance(above, Cluster)
        return Database(above.access, self.database)
