"""`closewatch preview`: the past of a Prometheus, played through routes, put into words."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from closewatch.alerting.preview import routing
from closewatch.alerting.preview.forecast import Forecast, forecast, report
from closewatch.alerting.preview.history import HistoryError, Prometheus, basic
from closewatch.alerting.rules import seconds
from closewatch.core.hours import zone
from closewatch.resources import find_data

__all__ = ["headers", "look", "report"]

LONGEST = 90 * 86_400.0


def look(prometheus: Prometheus, since: str, routes: Path | None, timezone: str) -> Forecast:
    """Ask and play. Raises HistoryError, or ValueError for an option that makes no sense, or OSError for a file."""
    span = seconds(since)
    if not 0 < span <= LONGEST:
        raise ValueError("--since: from a minute to 90 days, such as 14d")
    place = zone(timezone)
    path = routes or find_data("alerting/alertmanager") / "alertmanager.yml"
    try:
        rules = routing.load(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    until = time.time()
    loaded = prometheus.alert_names()
    if not loaded:
        raise HistoryError(
            f"{prometheus.url} has none of closewatch's alerts loaded. Load them in observe mode first: "
            "closewatch rules render DIR --mode observe"
        )
    begun = prometheus.watched_since(until - span, until)
    if begun is None:
        raise HistoryError(f"{prometheus.url} has no series of closewatch in this time: is it scraped?")
    return forecast(prometheus.episodes(begun, until), rules, loaded, begun, until, place)


def headers(
    token_file: Path | None, user: str | None, password_file: Path | None, org_id: str | None
) -> Mapping[str, str]:
    """The login as HTTP headers. Raises ValueError for a half one, OSError for a file that can't be read."""
    if (user is None) != (password_file is None) or (user is not None and token_file is not None):
        raise ValueError("log in with --token-file, or with --user and --password-file")
    found = {"X-Scope-OrgID": org_id} if org_id else {}
    if token_file is not None:
        found["Authorization"] = f"Bearer {token_file.read_text(encoding='utf-8').strip()}"
    if user is not None and password_file is not None:
        found["Authorization"] = basic(user, password_file.read_text(encoding="utf-8").strip())
    return found
