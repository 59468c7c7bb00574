"""What can be configured of a PostgreSQL server: where it is, how to log in, which of its databases to watch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from closewatch.core.collectors import Collector
from closewatch.core.secrets import Secret
from closewatch.core.settings import Model, TargetSettings
from closewatch.core.sizes import Bytes
from closewatch.core.source import Source
from closewatch.postgresql.cloudnativepg import CLOUDNATIVEPG
from closewatch.postgresql.statements import STATEMENTS
from closewatch.sources.address import AddressText, address
from closewatch.sources.kubernetes.access import KubernetesLogin
from closewatch.sources.postgresql.tls import Tls

if TYPE_CHECKING:
    from closewatch.sources.postgresql.access import Access

DISCOVERY_GROUPS = ("tenant", "environment")
DEFAULT_PORT = 5432


def _pattern(text: str) -> str:
    try:
        groups = re.compile(text).groupindex
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    for group in groups:
        if group not in DISCOVERY_GROUPS:
            raise ValueError(f"the group {group!r} has no meaning; allowed: {', '.join(DISCOVERY_GROUPS)}")
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]
UnsafeSetting = Literal[
    "fsync",
    "full_page_writes",
    "synchronous_commit",
    "ignore_checksum_failure",
    "zero_damaged_pages",
    "ssl",
    "ssl_min_protocol_version",
    "password_encryption",
    "log_connections",
    "allow_system_table_mods",
]
"""Settings with a value that risks data, or access to them."""


class Discover(Model):
    """Databases to watch as Odoo's, found by their names."""

    databases: Pattern = Field(
        description="Regular expression for a database's whole name; the groups `tenant` and `environment` give labels."
    )
    name: str = Field(
        "{database}", description="Name of the target; {database} and {server} are filled in.", max_length=100
    )


RoleName = Annotated[str, Field(min_length=1, max_length=63)]


class AccessPolicy(Model):
    """What is no surprise to whoever answers for access to the books."""

    books: Pattern | None = Field(
        None, description="Regular expression of the databases that hold books; by default those that discover matches."
    )
    owners: Pattern | None = Field(
        None, description="Regular expression of the roles that may own one; by default any that is no superuser."
    )
    allow: tuple[RoleName, ...] = Field((), description="Roles that may work in the books beside the owners.")
    break_glass: Annotated[tuple[RoleName, ...], Field(max_length=10)] = Field(
        (), description="Roles for emergencies: each use is alerted. Their names are labels."
    )
    expire: Pattern | None = Field(
        None, description="Regular expression of the roles that must have an expiry (VALID UNTIL)."
    )
    temporary: Pattern | None = Field(
        None,
        description="Regular expression of roles that a vault makes and drops: counted, but not told of as a change.",
    )
    accept: tuple[UnsafeSetting, ...] = Field((), description="Settings whose unsafe value is there on purpose.")
    hba: bool = Field(
        True, description="Whether pg_hba.conf is read; false where nobody may, as on most managed servers."
    )


KubernetesName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]


class CloudNativePg(Model):
    """The Cluster object of the operator CloudNativePG that runs this cluster in Kubernetes."""

    namespace: KubernetesName = Field(description="The object's namespace.")
    cluster: KubernetesName = Field(description="The object's name.")
    kubernetes: KubernetesLogin = Field(
        KubernetesLogin.model_construct(),
        description="How to log in to the Kubernetes API; needs `get` on clusters.postgresql.cnpg.io there.",
    )


class PostgresqlTarget(TargetSettings):
    """A PostgreSQL server, or a cluster of a primary and its standbys."""

    kind: Literal["postgresql"]
    hosts: Annotated[tuple[AddressText, ...], Field(min_length=1, max_length=16)] = Field(
        description="Where the members of the cluster listen, as host:port. Which one is the primary is measured."
    )
    user: str = Field(min_length=1, max_length=63, description="The weak role that closewatch logs in as.")
    password: Secret | None = Field(
        None, description="Where the role's password is kept; none for certificates or peer login."
    )
    database: str = Field("postgres", min_length=1, max_length=63, description="The database whose session is held.")
    tls: Tls = Field(Tls.model_construct(), description="TLS to the server.")
    standbys: int = Field(
        default_factory=lambda data: max(0, len(data.get("hosts", ())) - 1),
        ge=0,
        le=64,
        description="Streaming standbys expected; by default the hosts less one.",
    )
    discover: tuple[Discover, ...] = Field((), description="Which databases are watched as Odoo's.")
    ignore: Pattern | None = Field(None, description="Regular expression of databases that are not watched on purpose.")
    statements: int = Field(
        10,
        ge=0,
        le=100,
        description="Statements shown by id, the rest is summed; 0 asks for none (pg_stat_statements).",
    )
    storage_limit: Bytes | None = Field(
        None, description="Disk space that there is for databases and WAL, such as 500GiB: tells when it will be full."
    )
    access: AccessPolicy = Field(AccessPolicy.model_construct(), description="Who may do what in the books.")

    cloudnativepg: CloudNativePg | None = Field(
        None, description="The operator's object, where CloudNativePG runs the cluster: tells a change from a loss."
    )

    @model_validator(mode="after")
    def _hosts_once(self) -> PostgresqlTarget:
        if len({address(host, DEFAULT_PORT) for host in self.hosts}) < len(self.hosts):
            raise ValueError("hosts: the same address is there twice")
        return self

    def asked(self, collectors: Sequence[Collector]) -> tuple[Collector, ...]:
        """All, less the statements where none are to be shown, and the operator's object where there is none."""
        left_out = {STATEMENTS.name: not self.statements, CLOUDNATIVEPG.name: self.cloudnativepg is None}
        return tuple(one for one in collectors if not left_out.get(one.name))

    def login(self) -> Access:
        """How to log in to its members."""
        from closewatch.sources.postgresql.access import Access  # noqa: PLC0415 - psycopg is an extra

        addresses = tuple(address(host, DEFAULT_PORT) for host in self.hosts)
        return Access(addresses, self.user, self.password, self.database, self.tls.parameters())

    def source(self, above: Source | None) -> Source:
        """Asked as a cluster, by one held session a member; and its operator, where one is named."""
        from closewatch.sources.postgresql.cluster import Cluster  # noqa: PLC0415 - psycopg is an extra

        access = self.login()
        if self.cloudnativepg is None:
            return Cluster(access)
        from closewatch.sources.kubernetes.api import Kubernetes  # noqa: PLC0415
        from closewatch.sources.kubernetes.aside import OperatedCluster  # noqa: PLC0415

        about = self.cloudnativepg
        return OperatedCluster(access, Kubernetes(about.kubernetes), about.namespace, about.cluster)
