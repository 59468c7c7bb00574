"""One record: a header, which proves and stays, and a payload, which may expire."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Record:
    """A record as it is stored: the canonical texts. `payload_text` is None where it has expired."""

    header_text: str
    payload_text: str | None

    @cached_property
    def header(self) -> Mapping[str, Any]:
        """The header's keys, as docs/decisions/0001 lists them."""
        found: Mapping[str, Any] = json.loads(self.header_text)
        return found

    @cached_property
    def payload(self) -> Mapping[str, Any]:
        """What was found; empty where it has expired."""
        found: Mapping[str, Any] = json.loads(self.payload_text) if self.payload_text is not None else {}
        return found

    @property
    def result(self) -> str:
        """passed, failed or unknown."""
        return str(self.header["result"])

    @property
    def reason(self) -> str | None:
        """Why it did not pass."""
        found: str | None = self.header.get("reason")
        return found

    @property
    def start(self) -> float:
        """When the check began, in Unix seconds."""
        return seconds(self.header["start"])

    @property
    def end(self) -> float:
        """When it ended, in Unix seconds."""
        return seconds(self.header["end"])


def seconds(text: str) -> float:
    """Unix seconds of a header's time (RFC 3339, UTC)."""
    return dt.datetime.fromisoformat(text).timestamp()
