"""A bucket as it is configured: where it is, and how to log in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from closewatch.core.secrets import Secret
from closewatch.core.settings import ConfigPath, Model, NoEcho

if TYPE_CHECKING:
    from closewatch.sources.s3.client import Access


def _endpoint(text: str) -> str:
    try:
        parts = urlsplit(text)
        plain = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        plain = False
    if not plain or parts.username or parts.password or parts.query or parts.fragment or parts.path not in {"", "/"}:
        raise ValueError("is not an address such as https://s3.example.net:9000 (no user, no path)")
    return text


class BucketPlace(Model):
    """A prefix in a bucket of S3, or of what speaks its language."""

    bucket: str = Field(min_length=1, max_length=255, pattern=r"^[^/\s]+$", description="Name of the bucket.")
    prefix: str = Field("", max_length=1024, description="What the names of the objects begin with.")
    endpoint: Annotated[str, AfterValidator(_endpoint), NoEcho()] | None = Field(
        None, description="Address of the service; default: Amazon's."
    )
    region: str | None = Field(None, min_length=1, max_length=64, description="Region; default: the environment's.")
    access_key: str | None = Field(
        None, min_length=1, max_length=256, description="Access key; without one, the environment's chain of logins."
    )
    secret_key: Secret | None = Field(None, description="Where the secret key is kept.")
    session_token: Secret | None = Field(None, description="Where a temporary login's token is kept.")
    ca: ConfigPath | None = Field(
        None, description="File of the certificate authority that the service's certificate is checked by."
    )
    path_style: bool = Field(
        default_factory=lambda data: data.get("endpoint") is not None,
        description="Whether the bucket stands in the path, not in the host's name; default: with an endpoint.",
    )

    @model_validator(mode="after")
    def _both_keys(self) -> BucketPlace:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key belong together")
        if self.session_token is not None and self.access_key is None:
            raise ValueError("session_token belongs to an access_key")
        return self

    def access(self) -> Access:
        """Where the bucket is and how to log in."""
        from closewatch.sources.s3.client import Access  # noqa: PLC0415 - botocore is an extra

        named = set(BucketPlace.model_fields) - {"ca"}
        return Access(ca=str(self.ca) if self.ca else None, **{name: getattr(self, name) for name in named})
