"""What is wrong with a configuration, said so that a person can repair it without reading code.

Every problem is data (file, line, key, message) and prints as one line. All problems of a load are reported together.
What a user wrote may garble a terminal or be a secret: it is escaped, cut and freed of credentials before it is echoed.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

Loc = tuple[str | int, ...]
"""The way to a value: keys of mappings and positions in lists, from the top of the file."""

_ECHO_LENGTH = 60
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_CREDENTIALS = (
    re.compile(r"(?<=://)[^/\s]*(?=@)"),
    re.compile(r"(?i)(?<=password=)\S+|(?<=passwd=)\S+|(?<=secret=)\S+|(?<=token=)\S+"),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to repair. `line` counts from 1, 0 is the file as a whole; `key` is "" where none is at fault."""

    file: Path
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{printable(str(self.file))}:{self.line}" if self.line else printable(str(self.file))
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigError(Exception):
    """A configuration that can't be used, with all that is wrong with it, in the order of files and lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def printable(text: str) -> str:
    """The text on one line, with control characters and line breaks written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def without_credentials(text: str) -> str:
    """The text without what stands for a login in an address or in a connection string."""
    for pattern in _CREDENTIALS:
        text = pattern.sub("***", text)
    return text


def quoted(text: str) -> str:
    """What the user wrote, fit for a message: in quotes, escaped, cut, without credentials."""
    text = without_credentials(text)
    if len(text) > _ECHO_LENGTH:
        text = text[:_ECHO_LENGTH] + "…"
    return printable(json.dumps(text, ensure_ascii=False))


def key_path(loc: Loc) -> str:
    """The way to a value as people write it: targets[0].hosts[1]."""
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part) and len(part) <= _ECHO_LENGTH:
            path += f".{part}" if path else part
        else:
            path += f"[{quoted(part)}]"
    return path


def allowed(words: Sequence[str], given: str = "") -> str:
    """The allowed words, and the one that was probably meant."""
    listed = "allowed: " + ", ".join(words) if words else "nothing is allowed here"
    return listed + did_you_mean(given, words)


def did_you_mean(given: str, words: Iterable[str]) -> str:
    """'; did you mean "hosts"?' where a word is near, else nothing."""
    near = difflib.get_close_matches(given[:_ECHO_LENGTH], list(words), n=1)
    return f"; did you mean {quoted(near[0])}?" if near else ""
