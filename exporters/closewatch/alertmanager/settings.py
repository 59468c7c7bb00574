"""What can be configured of an Alertmanager: where it is, how to log in, and what is too long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from closewatch.alertmanager import notification, silences, told
from closewatch.core.checks import Check
from closewatch.core.collectors import Collector
from closewatch.core.secrets import Secret
from closewatch.core.settings import ConfigPath, TargetSettings
from closewatch.core.source import Source
from closewatch.sources import http
from closewatch.sources.alertmanager import Alertmanager, Login

LIMIT = 60.0
"""Seconds that a check may take: two answers."""


class AlertmanagerTarget(TargetSettings):
    """An Alertmanager, or a cluster of them by one of its members."""

    kind: Literal["alertmanager"]
    url: Annotated[str, AfterValidator(http.checked)] = Field(
        max_length=500, description="Its address, such as http://alertmanager:9093, with its prefix where it has one."
    )
    user: str | None = Field(
        None, min_length=1, max_length=128, pattern=r"^[^\s:]+$", description="The user, where it asks for one."
    )
    password: Secret | None = Field(None, description="Where the user's password is kept.")
    token: Secret | None = Field(None, description="Where a bearer token is kept, instead of user and password.")
    ca: ConfigPath | None = Field(
        None, description="File of the certificate authority; by default those that the system trusts."
    )
    notifications: bool = Field(
        True, description="Whether it sends what it sends to `closewatch receive` too. If not, nothing is said of it."
    )
    receivers: tuple[Annotated[str, Field(min_length=1, max_length=120)], ...] = Field(
        (), max_length=50, description="The receivers whose notifications count as told. Default: any."
    )
    told_within: float = Field(
        900, ge=60, le=86_400, description="Seconds within which a critical alert must be in a notification."
    )
    told_every: float = Field(300, ge=60, le=86_400, description="Seconds between two looks at that.")
    silence_limit: float = Field(
        14_400, ge=60, le=31_536_000, description="Seconds for which a critical alert may be silenced."
    )
    silences_every: float = Field(900, ge=60, le=86_400, description="Seconds between two looks at the silences.")

    @model_validator(mode="after")
    def _one_login(self) -> AlertmanagerTarget:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together")
        if self.user is not None and self.token is not None:
            raise ValueError("expected either user and password, or token")
        return self

    def source(self, above: Source | None) -> Alertmanager:
        """Asked by HTTP, anew each time."""
        return Alertmanager(Login(self.url, self.user, self.password, self.token, self.ca))

    def asked(self, collectors: Sequence[Collector]) -> tuple[Collector, ...]:
        """Without those of notifications where it sends none here."""
        of_notifications = {told.NAME, notification.NAME}
        return tuple(one for one in collectors if self.notifications or one.recorded not in of_notifications)

    def checks(self) -> tuple[Check, ...]:
        """What is silenced; and what nobody was told of, where that can be known."""
        server = self.source(None)
        looking = silences.Silences(server, self.silence_limit, self.silences_every)
        hidden = Check(silences.NAME, 1, looking.run, self.silences_every, LIMIT, history=silences.HISTORY)
        if not self.notifications:
            return (hidden,)
        asking = told.Told(server, self.told_within, self.told_every, frozenset(self.receivers))
        reads = {notification.NAME: told.NOTIFICATIONS}
        return (hidden, Check(told.NAME, 1, asking.run, self.told_every, LIMIT, history=told.HISTORY, reads=reads))
