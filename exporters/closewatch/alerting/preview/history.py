"""Which alerts fired, and when, as a Prometheus (or Thanos, or Mimir) remembers it in its series `ALERTS`.

Source: Prometheus' HTTP API, /api/v1/rules and /api/v1/query_range. A range is asked for a day at a time, so that
neither side holds more than a day of it.
"""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STEP = 60.0
DAY = 86_400.0
TIMEOUT = 60.0
LARGEST = 256 * 2**20
OURS = 'ALERTS{alertstate="firing",domain!="",audience!=""}'
"""Every alert of closewatch carries these labels, and others' rarely do."""
_DROPPED = ("__name__", "alertstate", "closewatch_mode")


class HistoryError(Exception):
    """What was asked could not be had; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Episode:
    """An alert's labels, and the times (Unix seconds) between which it fired without a break."""

    labels: Mapping[str, str] = field(hash=False)
    start: float
    end: float


class Prometheus:
    """Where to ask. `headers` may hold a login; they are shown nowhere."""

    def __init__(self, url: str, *, headers: Mapping[str, str] | None = None, ca: Path | None = None) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise HistoryError("--prometheus: write http://host:port or https://host/path, without a login in it")
        self.url = url.rstrip("/")
        self._headers = dict(headers or {})
        self._tls = ssl.create_default_context(cafile=ca) if parts.scheme == "https" else None

    def alert_names(self) -> set[str]:
        """The names of closewatch's alerting rules that are loaded."""
        found = self._get("rules", {"type": "alert"})
        rules = [rule for group in found["groups"] for rule in group["rules"]]
        return {rule["name"] for rule in rules if {"domain", "audience"} <= set(rule.get("labels", {}))}

    def watched_since(self, start: float, end: float) -> float | None:
        """When closewatch's own series begin within the range; None where there are none."""
        series = self._range("count(closewatch_target_up)", start, end, max(STEP, (end - start) / 1000))
        return min((float(one["values"][0][0]) for one in series), default=None)

    def episodes(self, start: float, end: float) -> list[Episode]:
        """All episodes within the range, by their start; one that lasts over a day's border is one."""
        open_: dict[frozenset[tuple[str, str]], list[float]] = {}
        done: list[Episode] = []
        for begin in _days(start, end):
            for series in self._range(OURS, begin, min(begin + DAY, end), STEP):
                labels = {name: value for name, value in series["metric"].items() if name not in _DROPPED}
                key = frozenset(labels.items())
                for at, _ in series["values"]:
                    known = open_.get(key)
                    if known is not None and at - known[1] <= 1.5 * STEP:
                        known[1] = float(at)
                        continue
                    if known is not None:
                        done.append(Episode(dict(key), known[0], known[1] + STEP))
                    open_[key] = [float(at), float(at)]
        done += [Episode(dict(key), first, last + STEP) for key, (first, last) in open_.items()]
        return sorted(done, key=lambda episode: episode.start)

    def _range(self, query: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        asked = {"query": query, "start": f"{start:.0f}", "end": f"{end:.0f}", "step": f"{step:.0f}"}
        series: list[dict[str, Any]] = self._get("query_range", asked)["result"]
        return series

    def _get(self, what: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        address = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(address, headers=self._headers)  # noqa: S310 - http and https alone, see above
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT, context=self._tls) as response:  # noqa: S310
                body = response.read(LARGEST + 1)
        except urllib.error.HTTPError as error:
            with error:
                raise HistoryError(f"{self.url} answered {error.code} to /api/v1/{what}: {_hint(error.code)}") from None
        except (OSError, ValueError) as error:
            raise HistoryError(f"{self.url} can't be asked: {_cause(error)}") from None
        if len(body) > LARGEST:
            raise HistoryError(f"{self.url} answered more than {LARGEST >> 20} MiB for one day: ask for a shorter time")
        try:
            answer = json.loads(body)
            data: dict[str, Any] = answer["data"]
        except (ValueError, KeyError, TypeError):
            raise HistoryError(f"{self.url} gave no answer of Prometheus' API: is that its address?") from None
        return data


def basic(user: str, password: str) -> str:
    """The value of the header Authorization for a user and a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _days(start: float, end: float) -> Iterator[float]:
    while start < end:
        yield start
        start += DAY


def _hint(code: int) -> str:
    if code in {401, 403}:
        return "the login is missing or was refused (--token-file, --user with --password-file)"
    return "its log says more" if code != 404 else "is that its address?"  # noqa: PLR2004 - HTTP's own number


def _cause(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return str(reason) or type(error).__name__
