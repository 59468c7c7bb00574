"""Alertmanager by its HTTP API, version 2: its status, its silences, and the critical alerts that it holds.

Source: api/v2/openapi.yaml of Alertmanager 0.25 to 0.31. Needs no right but to read; where Alertmanager has a web
configuration, a login of its own. A cluster's members agree on silences and notifications: any of them may be asked.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from closewatch.core.collectors import Answer, Collector
from closewatch.core.deadline import Deadline
from closewatch.core.labels import clean
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.secrets import Secret, SecretError, remember
from closewatch.core.source import Outcome, Reply
from closewatch.sources import http

MAX_BYTES = 16 * 1024 * 1024
"""Of one answer: some thousand alerts with their texts."""
_CRITICAL = {"filter": 'severity="critical"', "active": "true", "silenced": "true", "inhibited": "true"}


@dataclass(frozen=True, slots=True)
class Login:
    """Where it is, and who asks: user and password, a token, or nobody."""

    url: str
    user: str | None = None
    password: Secret | None = None
    token: Secret | None = None
    ca: Path | None = None

    def place(self) -> http.Place:
        """With the secrets as they are now. Raises Unavailable(secret)."""
        try:
            if self.token is not None:
                authorization = f"Bearer {self.token.read()}"
            elif self.password is not None:
                pair = base64.b64encode(f"{self.user}:{self.password.read()}".encode()).decode()
                remember(pair)
                authorization = f"Basic {pair}"
            else:
                authorization = ""
        except SecretError as error:
            raise Unavailable(Reason.SECRET, str(error)) from None
        return http.place(self.url, authorization, self.ca)


class Alertmanager:
    """One to be asked. Holds nothing; thread-safe."""

    def __init__(self, login: Login) -> None:
        self._login = login

    def silences(self, deadline: Deadline) -> list[Mapping[str, Any]]:
        """All silences that it remembers, as they are. Raises Unavailable."""
        return self._list("/api/v2/silences", deadline)

    def critical(self, deadline: Deadline) -> list[Mapping[str, Any]]:
        """The critical alerts that it holds, told, silenced and inhibited ones, as they are. Raises Unavailable."""
        return self._list(f"/api/v2/alerts?{urlencode(_CRITICAL)}", deadline)

    def status(self, deadline: Deadline) -> Mapping[str, str]:
        """Its version, and how its cluster does: ready, settling, disabled. Raises Unavailable."""
        found = self._get("/api/v2/status", deadline)
        try:
            version, cluster = found["versionInfo"]["version"], found["cluster"]["status"]
        except (KeyError, TypeError):
            raise Unavailable(Reason.INVALID_ANSWER, "no status of Alertmanager: is that its address?") from None
        known = cluster if cluster in {"ready", "settling", "disabled"} else "unknown"
        return {"version": clean(str(version)), "cluster": known}

    def ask(self, collectors: Sequence[Collector], deadline: Deadline) -> Reply:
        """The status, for whoever asks."""
        began, asked_at = time.monotonic(), time.time()
        try:
            rows = [self.status(deadline)]
        except Unavailable as failure:
            return Reply({}, failure)
        outcome = Outcome([Answer({"main": rows}, asked_at=asked_at)], seconds=time.monotonic() - began)
        return Reply({collector.name: outcome for collector in collectors})

    def close(self) -> None:
        """Nothing is held."""

    def _get(self, path: str, deadline: Deadline) -> Any:
        return http.get_json(self._login.place(), path, deadline, MAX_BYTES)

    def _list(self, path: str, deadline: Deadline) -> list[Mapping[str, Any]]:
        found = self._get(path, deadline)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise Unavailable(Reason.INVALID_ANSWER, "not a list of objects")
        return found
