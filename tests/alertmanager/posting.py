"""Alerts posted to an Alertmanager as Prometheus posts them: they begin when they are sent.

An alert that began earlier than `group_wait` ago is sent at once, before its cause is there: that is another situation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from closewatch.engines import http
from closewatch.engines.alertmanager import AlertmanagerServer


def post(
    server: AlertmanagerServer,
    alerts: Sequence[Mapping[str, str]],
    annotations: Mapping[str, str] | None = None,
    *,
    starts: datetime | None = None,
    ends: datetime | None = None,
) -> None:
    """Post alerts, each given by its labels; `ends` in the past resolves them."""
    now = datetime.now(UTC)
    times = {"startsAt": (starts or now).isoformat(), "endsAt": (ends or now + timedelta(hours=1)).isoformat()}
    body = [{"labels": dict(labels), "annotations": dict(annotations or {}), **times} for labels in alerts]
    http.post(f"{server.url}/api/v2/alerts", body)


def resolve(server: AlertmanagerServer, alerts: Sequence[Mapping[str, str]]) -> None:
    """End alerts now."""
    now = datetime.now(UTC)
    post(server, alerts, starts=now, ends=now)
