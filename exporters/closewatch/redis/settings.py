"""What can be configured of a Redis or Valkey deployment: where it is, how to log in, and what it is used for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from closewatch.core.collectors import Collector
from closewatch.core.secrets import Secret
from closewatch.core.settings import ConfigPath, Model, TargetSettings
from closewatch.core.source import Source
from closewatch.sources.address import Address, AddressText, address

DEFAULT_PORT = 6379
SENTINEL_PORT = 26379
UserName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\s{}]+$")]


Addresses = Annotated[tuple[AddressText, ...], Field(max_length=16)]


class RedisTls(Model):
    """TLS to the members and Sentinels."""

    verify: Literal["full", "ca", "none"] = Field(
        "full",
        description="What is checked: the certificate and the host's name (full), the certificate alone (ca), nothing.",
    )
    ca: ConfigPath | None = Field(
        None, description="File of the certificate authority; by default those that the system trusts."
    )
    certificate: ConfigPath | None = Field(None, description="File of the client certificate.")
    key: ConfigPath | None = Field(None, description="File of the client certificate's key; without a passphrase.")


class RedisTarget(TargetSettings):
    """A Redis or Valkey server, a master with its replicas, or a cluster."""

    kind: Literal["redis"]
    hosts: Addresses = Field(
        (),
        description="Where the members listen, as host:port; of a cluster, any of its nodes. The role is measured.",
    )
    sentinels: Addresses = Field((), description="Where the Sentinels listen that name the members, instead of hosts.")
    master: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        pattern=r"^\S+$",
        description="The name that the Sentinels know the master by.",
    )
    cluster: bool = Field(False, description="Whether the hosts are nodes of a Redis cluster, whose others it names.")
    user: UserName | None = Field(
        None, description="The weak ACL user that closewatch logs in as. Default: the server's default user."
    )
    password: Secret | None = Field(None, description="Where the user's password is kept.")
    sentinel_user: UserName | None = Field(None, description="The user at the Sentinels, where they ask for one.")
    sentinel_password: Secret | None = Field(None, description="Where the password for the Sentinels is kept.")
    tls: RedisTls | None = Field(None, description="TLS to the server; plain where left out.")
    use: Literal["sessions", "cache", "queue"] = Field(
        description="What it holds. Evictions are daily work in a cache, and lost work in sessions or a queue."
    )
    application_user: UserName | None = Field(
        None, description="The ACL user of the application, such as odoo; told when it may do too much."
    )
    outside: Addresses = Field(
        (), description="Addresses that strangers could use; knocked at by a PING without login, nothing more."
    )
    replicas: int | None = Field(
        None, ge=0, le=64, description="Replicas expected of each master; by default the hosts less one."
    )
    without: tuple[Literal["acl", "config", "slowlog", "latency"], ...] = Field(
        (), description="Commands that are never sent, as the user may not use them on purpose; their facts are absent."
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> RedisTarget:
        if bool(self.hosts) == bool(self.sentinels):
            raise ValueError("expected either hosts or sentinels")
        if bool(self.sentinels) != (self.master is not None):
            raise ValueError("sentinels and master belong together")
        if self.cluster and self.sentinels:
            raise ValueError("a cluster has no Sentinels: expected hosts")
        for field, places in (("hosts", self.hosts), ("sentinels", self.sentinels)):
            if len({address(place, DEFAULT_PORT) for place in places}) < len(places):
                raise ValueError(f"{field}: the same address is there twice")
        return self

    @property
    def replicas_expected(self) -> int | None:
        """Replicas expected of each master; None where nobody said."""
        if self.replicas is not None or self.cluster or self.sentinels:
            return self.replicas
        return len(self.hosts) - 1

    def asked(self, collectors: Sequence[Collector]) -> tuple[Collector, ...]:
        """Without those of a cluster, of replicas, and of knocks from outside, where there are none."""
        several = len(self.hosts) > 1 or self.cluster or bool(self.sentinels)
        asked = {"cluster": self.cluster, "outside": bool(self.outside), "replica": several}
        return tuple(collector for collector in collectors if asked.get(collector.name, True))

    def source(self, above: Source | None) -> Source:
        """Asked as a deployment, by one held connection a member."""
        from closewatch.sources.redis.connection import Login  # noqa: PLC0415
        from closewatch.sources.redis.places import Cluster, Places, Sentinels, Written  # noqa: PLC0415
        from closewatch.sources.redis.source import Access, Deployment  # noqa: PLC0415 - redis-py is an extra
        from closewatch.sources.redis.wire import TlsFiles  # noqa: PLC0415

        def parsed(places: tuple[str, ...], port: int = DEFAULT_PORT) -> tuple[Address, ...]:
            return tuple(address(place, port) for place in places)

        tls = None if self.tls is None else TlsFiles(**self.tls.model_dump())
        login = Login(self.user, self.password, tls)
        names = {} if self.application_user is None else {"application_user": self.application_user}
        access = Access(login, self.use, names, frozenset(self.without), parsed(self.outside), self.cluster)
        places: Places
        if self.master is not None:
            seen = parsed(self.sentinels, SENTINEL_PORT)
            places = Sentinels(seen, self.master, Login(self.sentinel_user, self.sentinel_password, tls))
        elif self.cluster:
            places = Cluster(parsed(self.hosts), login)
        else:
            places = Written(parsed(self.hosts))
        return Deployment(access, places)
