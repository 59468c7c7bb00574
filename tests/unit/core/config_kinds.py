"""Small kinds of targets, of the same shape as the concerns' own: the loader must not know more than this of them."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from closewatch.core.config import TargetSettings
from closewatch.core.secrets import Secret
from closewatch.core.settings import ConfigPath, Model
from closewatch.core.source import Source


class Tls(Model):
    mode: Literal["disable", "prefer", "require", "verify-full"] = Field("prefer", description="How much is checked.")
    ca: ConfigPath | None = Field(None, description="The certificates that are trusted.")


class Discover(Model):
    databases: str = Field(description="A regular expression of names.")


class Watched(TargetSettings):
    def source(self, above: Source | None) -> Source:
        raise AssertionError("a configuration is read without asking anything")


class Server(Watched):
    kind: Literal["postgresql"] = Field(description="A cluster.")
    hosts: tuple[str, ...] = Field(min_length=1, description="Its members.")
    user: str = Field(description="Who logs in.")
    password: Secret | None = Field(None, description="With what.")
    database: str = Field("postgres", description="Where.")
    tls: Tls = Field(Tls(), description="How it is secured.")
    standbys: int = Field(
        default_factory=lambda data: len(data["hosts"]) - 1, ge=0, description="Standbys that are expected."
    )
    discover: tuple[Discover, ...] = Field((), description="Which databases become targets.")
    ignore: str | None = Field(None, description="Which don't, on purpose.")

    @field_validator("ignore")
    @classmethod
    def _check(cls, text: str | None) -> str | None:
        try:
            re.compile(text or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return text


class Database(Watched):
    belongs_to = ("server", "postgresql")

    kind: Literal["odoo"] = Field(description="A database.")
    server: str = Field(description="The target that holds it.")
    database: str = Field(description="Its name.")


KINDS = {"postgresql": Server, "odoo": Database}
