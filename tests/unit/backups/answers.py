"""The answers in tests/data/backups, written by hand (see its README), and shorthands to read the rows."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "data" / "backups"


def answer(name: str) -> Any:
    """A document, anew for each test."""
    return json.loads((FOLDER / name).read_text())


def at(text: str) -> float:
    """Unix seconds."""
    return dt.datetime.fromisoformat(text).timestamp()


def states(tables: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """State and reason of each row, in the order of the document."""
    return [(row["state"], row["reason"]) for row in tables["main"]]
