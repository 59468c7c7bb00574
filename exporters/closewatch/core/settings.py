"""The models that a configuration is validated against: what all targets have in common, and tenants.

A concern adds its own by a subclass of `TargetSettings` with `kind: Literal["..."]`. Models are frozen and refuse
unknown keys; each field has a description, from which editors' help and the reference are made.
"""

from __future__ import annotations

import abc
import datetime as dt
import enum
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    model_validator,
)

from closewatch.core.checks import Check
from closewatch.core.collectors import Collector
from closewatch.core.hours import Hours, HoursText, ZoneName
from closewatch.core.source import Source

LABEL_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"

Label = Annotated[str, StringConstraints(pattern=LABEL_PATTERN)]
"""The value of a label of targets: environment, cell, tenant, target."""


class NoEcho:
    """Marks a field by `Annotated[str, NoEcho()]`: it may hold a secret and is never shown in a message."""


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / path


ConfigPath = Annotated[Path, AfterValidator(_beside_the_file)]
"""A path in a configuration: relative to the folder of the file in which it is written."""


class Model(BaseModel):
    """The base of all settings: frozen, closed, and without surprises (`standbys: true` is not the number 1)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _no_number_from_true(cls, data: Any) -> Any:
        """Python takes True for 1; in a configuration it is a mistake. As text it is refused like any other text."""
        if not isinstance(data, dict):
            return data
        numeric = {name for name, info in cls.model_fields.items() if _number_but_no_bool(info.annotation)}
        return {k: str(v).lower() if k in numeric and isinstance(v, bool) else v for k, v in data.items()}


def _number_but_no_bool(annotation: Any) -> bool:
    branches = typing.get_args(annotation) or (annotation,)
    return (int in branches or float in branches) and bool not in branches


class TargetSettings(Model):
    """What every target has. A concern's subclass adds how to reach it."""

    belongs_to: ClassVar[tuple[str, str] | None] = None
    """(field, kind): the field that names another target, of that kind, whose environment and cell this one shares."""

    kind: str = Field(description="What kind of thing is watched.")
    name: Label = Field(description="The target's name, unique in its kind; the label `target` of its series.")
    environment: Label | None = Field(
        default=None,
        description="Such as production or staging. Default: that of the target it belongs to, or of the file.",
    )
    cell: Label | None = Field(
        default=None,
        description="The failure domain that tenants share, such as a database cluster. Alerts on it cover them.",
    )
    tenant: Label | None = Field(default=None, description="Whose it is. Left out for what tenants share.")

    @abc.abstractmethod
    def source(self, above: Source | None) -> Source:
        """The way to ask it; `above` is that of the target it belongs to. Imports its client here: an extra."""

    def asked(self, collectors: Sequence[Collector]) -> tuple[Collector, ...]:
        """Those of its kind's collectors that are wanted: all, unless a concern lets some be switched off."""
        return tuple(collectors)

    def checks(self) -> tuple[Check, ...]:
        """Its scheduled checks, run by `closewatch work`: none, unless a concern has some."""
        return ()

    def labels(self) -> dict[str, str]:
        """The target's labels, those that it has."""
        found = {"environment": self.environment, "cell": self.cell, "tenant": self.tenant, "target": self.name}
        return {label: value for label, value in found.items() if value is not None}


class State(enum.StrEnum):
    """Where a tenant is in its life. Absence and age are alerted for active ones only."""

    ONBOARDING = "onboarding"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    MIGRATING = "migrating"
    LEAVING = "leaving"


class Tenant(Model):
    """A customer or company whose systems are watched."""

    state: State = Field(default=State.ACTIVE, description="Absence and age are alerted only for an active tenant.")
    hours: HoursText | None = Field(
        default=None, description='When it works, such as "Mon-Fri 06:00-22:00, Sat 08:00-12:00". Default: always.'
    )
    timezone: ZoneName = Field(default="UTC", description="The time zone of the hours, such as Europe/Paris.")

    def expected(self, now: dt.datetime) -> bool:
        """Whether the tenant's systems are expected to be at work at this moment: active, and within its hours."""
        if self.state is not State.ACTIVE:
            return False
        return self.hours is None or Hours.parse(self.hours, self.timezone).active(now)
