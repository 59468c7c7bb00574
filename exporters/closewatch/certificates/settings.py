"""What can be configured of a set of certificates: where they are, which names they must carry, whom to trust."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from closewatch.certificates.places import DEFAULT_LIMIT, MAX_LIMIT
from closewatch.core.secrets import Secret
from closewatch.core.settings import ConfigPath, Model, TargetSettings
from closewatch.core.source import Source
from closewatch.sources.address import Address, address
from closewatch.sources.kubernetes.access import KubernetesLogin

PORTS = {"tls": 443, "postgresql": 5432, "postgresql_direct": 5432, "smtp": 25, "imap": 143}
Text = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,253}$")]


def _address_text(text: str) -> str:
    if address(text, PORTS["tls"]).host.startswith("/"):
        raise ValueError("is a Unix socket; TLS is spoken over the network only")
    return text


def _pattern(path: Path) -> Path:
    if "**" in path.parts:
        raise ValueError("has **; name the folder instead: it is read with its subfolders")
    return path


Pattern = Annotated[ConfigPath, AfterValidator(_pattern)]


class EndpointSettings(Model):
    """A server that presents a certificate."""

    address: Annotated[str, AfterValidator(_address_text)] = Field(
        description="Where it listens, as host:port; the port of the protocol by default."
    )
    name: Text | None = Field(None, description="What its series are called. Default: the address as it is written.")
    protocol: Literal["tls", "postgresql", "postgresql_direct", "smtp", "imap"] = Field(
        "tls",
        description="TLS at once, or after the protocol's own request: PostgreSQL's, or STARTTLS of SMTP and IMAP. "
        "postgresql_direct is what PostgreSQL 17 and newer take without a request.",
    )
    hosts: tuple[Host, ...] = Field(
        (),
        max_length=50,
        description="The names that clients use; the certificate must be for all of them, and the first is asked for "
        "(SNI). Default: the host of the address.",
    )
    stored: ConfigPath | None = Field(
        None, description="The file whose certificate it should serve: tells a renewal that was not reloaded."
    )

    @property
    def label(self) -> str:
        """What its series are called."""
        return self.name or self.address

    @property
    def place(self) -> Address:
        """Where it listens."""
        return address(self.address, PORTS[self.protocol])


class SecretsSettings(Model):
    """Which TLS secrets of Kubernetes are watched."""

    namespace: Text | None = Field(None, description="Their namespace. Default: all, which needs a ClusterRole.")
    labels: str = Field("", max_length=1000, description='A label selector, such as "app=odoo".')


class CertificatesTarget(TargetSettings):
    """A set of places with certificates that belong together, such as those of one cell or one host."""

    kind: Literal["certificates"]
    endpoints: tuple[EndpointSettings, ...] = Field((), max_length=500, description="Servers to shake hands with.")
    files: tuple[Pattern, ...] = Field(
        (),
        max_length=500,
        description="Files, folders (with their subfolders) and patterns such as "
        "/etc/letsencrypt/live/*/fullchain.pem. PEM, DER and PKCS#12 are read.",
    )
    ignore: tuple[Text, ...] = Field(
        (), max_length=100, description="Patterns of whole paths that are left out, such as */archive/*."
    )
    acme: tuple[ConfigPath, ...] = Field((), max_length=20, description="Traefik's acme.json files.")
    secrets: tuple[SecretsSettings, ...] = Field(
        (), max_length=100, description="TLS secrets of Kubernetes; the login is under kubernetes."
    )
    kubernetes: KubernetesLogin | None = Field(
        None, description="How to log in to Kubernetes; {} is the service account of the pod."
    )
    password: Secret | None = Field(None, description="Where the password of the PKCS#12 files is kept.")
    trust: tuple[ConfigPath, ...] = Field(
        (), max_length=20, description="Files of authorities that are trusted beside the system's."
    )
    limit: int = Field(
        DEFAULT_LIMIT,
        ge=1,
        le=MAX_LIMIT,
        description="Places that have series, those that end soonest first; the rest is counted.",
    )

    @model_validator(mode="after")
    def _something_to_watch(self) -> CertificatesTarget:
        if not (self.endpoints or self.files or self.acme or self.secrets):
            raise ValueError("nothing to watch: endpoints, files, acme and secrets are all empty")
        if self.secrets and self.kubernetes is None:
            raise ValueError("secrets: kubernetes is missing, which says how to log in")
        labels = [endpoint.label for endpoint in self.endpoints]
        if len(set(labels)) < len(labels):
            raise ValueError("endpoints: two have the same name; give them names of their own")
        return self

    def source(self, above: Source | None) -> Source:
        """Asked place by place, all within one deadline."""
        from closewatch.sources.certificates.places import Endpoint, SecretPlace  # noqa: PLC0415
        from closewatch.sources.certificates.source import Certificates, Places  # noqa: PLC0415 - cryptography is an extra
        from closewatch.sources.kubernetes.api import Kubernetes  # noqa: PLC0415

        return Certificates(
            Places(
                endpoints=[
                    Endpoint(one.label, one.place, one.hosts or (one.place.host,), one.protocol, one.stored)
                    for one in self.endpoints
                ],
                files=self.files,
                ignore=self.ignore,
                acme=self.acme,
                secrets=[SecretPlace(one.namespace, one.labels) for one in self.secrets],
                trust=self.trust,
                password=self.password,
                kubernetes=Kubernetes(self.kubernetes) if self.kubernetes is not None else None,
            )
        )
