"""What the errors of backup tools mean, by their numbers: their words are somebody else's text."""

from __future__ import annotations

import re

from closewatch.restores.why import Failed, Why

# Codes of src/build/error/error.yaml: what is said of the repository's content.
_UNREADABLE = {26, 28, 29, 41, 42, 55, 95}
_NOT_THERE = {75}
_ERROR = re.compile(r"ERROR: \[(\d{3})\]")


def pgbackrest_errors(text: str) -> list[int]:
    """The numbers of the errors that pgBackRest wrote."""
    return [int(code) for code in _ERROR.findall(text)]


def pgbackrest_failure(code: int) -> Failed:
    """What such a number means for a restore."""
    words = f"pgbackrest ended with error {code}"
    if code in _UNREADABLE:
        return Failed(Why.UNREADABLE, f"{words}: a file of the repository is missing or damaged")
    return Failed(Why.NO_BACKUP if code in _NOT_THERE else Why.TOOL_FAILED, words)
