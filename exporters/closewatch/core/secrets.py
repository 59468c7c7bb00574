"""Secrets by reference: a file or an environment variable, read anew each time, so that a rotated one is used at once.

A configuration never holds a secret itself, and a `Secret` never keeps what it read: nothing that prints, dumps or
compares settings can show one. What was read is made known to `masked`, which the log applies to all that it writes.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from closewatch.core.problems import printable

MAX_BYTES = 64 * 1024
MASK = "***"
_EXPECTED = "expected {file: PATH} or {env: NAME}; a secret itself is never written here"
_MIN_MASKED = 6
_MAX_KNOWN = 5_000
_known: OrderedDict[str, None] = OrderedDict()
_known_lock = threading.Lock()


class SecretError(Exception):
    """A secret that can't be read. The message names the file or variable and the reason, never content."""


class Secret:
    """Where a secret is: exactly one of `file` and `env`."""

    __slots__ = ("env", "file")

    def __init__(self, *, file: Path | None = None, env: str | None = None) -> None:
        if (file is None) == (env is None):
            raise ValueError(_EXPECTED)
        self.file = file
        self.env = env

    @property
    def place(self) -> str:
        """The file or variable in words, for messages."""
        return printable(f"file {self.file}" if self.file is not None else f"environment variable {self.env}")

    def read(self) -> str:
        """The secret as it is now, less one line break at its end. Raises SecretError."""
        text = self._read_file(self.file) if self.file is not None else os.environ.get(self.env or "")
        if text is None:
            self._fail("is not set")
        text = text.removesuffix("\n").removesuffix("\r")
        if not text:
            self._fail("is empty")
        if "\0" in text:
            self._fail("holds a NUL character")
        remember(text)
        return text

    def _read_file(self, path: Path) -> str:
        """Opened without blocking: a named pipe that nobody writes must not hold up whoever needs the secret."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                raw = _content(handle)
            finally:
                os.close(handle)
        except (OSError, ValueError) as error:
            self._fail(_reason(error))
        if len(raw) > MAX_BYTES:
            self._fail(f"is too large: more than {MAX_BYTES:,} bytes")
        text = raw.decode(errors="replace")  # not "strict": its exception holds the content, and tracebacks show it
        if "\N{REPLACEMENT CHARACTER}" in text:
            self._fail("is not UTF-8 text")
        return text

    def _fail(self, reason: str) -> NoReturn:
        raise SecretError(f"{self.place}: {reason}") from None

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.file, self.env) == (other.file, other.env)

    def __hash__(self) -> int:
        return hash((self.file, self.env))

    @classmethod
    def _validate(cls, value: Any, info: ValidationInfo) -> Secret:
        if isinstance(value, Secret):
            return value
        if not isinstance(value, dict) or len(value) != 1:
            raise PydanticCustomError("secret", _EXPECTED)
        (key, place), folder = next(iter(value.items())), (info.context or {}).get("folder", Path())
        if key not in ("file", "env") or not isinstance(place, str) or not place or "\0" in place:
            raise PydanticCustomError("secret", _EXPECTED)
        return cls(file=folder / place) if key == "file" else cls(env=place)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(lambda _: MASK)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "object",
            "description": "Where a secret is read from, anew each time it is needed. Never the secret itself.",
            "oneOf": [
                _schema_of("file", "A file that holds nothing else; relative to the folder of this file."),
                _schema_of("env", "An environment variable of the process."),
            ],
        }


def _schema_of(key: str, description: str) -> dict[str, Any]:
    value = {"type": "string", "minLength": 1, "description": description}
    return {"properties": {key: value}, "required": [key], "additionalProperties": False}


def _content(handle: int) -> bytes:
    """At most one byte more than is allowed."""
    raw = b""
    while len(raw) <= MAX_BYTES and (part := os.read(handle, MAX_BYTES + 1 - len(raw))):
        raw += part
    return raw


def _reason(error: Exception) -> str:
    words: Mapping[type[Exception], str] = {
        FileNotFoundError: "does not exist",
        IsADirectoryError: "is a directory; expected a file",
        PermissionError: "permission denied: the user that runs closewatch can't read it",
    }
    return words.get(type(error)) or f"can't be read: {getattr(error, 'strerror', None) or 'not a valid file name'}"


def remember(text: str) -> None:
    """Let `masked` know a secret. Very short ones are not: masking them would garble everything and hide nothing."""
    if len(text) < _MIN_MASKED:
        return
    with _known_lock:
        _known[text] = None
        _known.move_to_end(text)
        while len(_known) > _MAX_KNOWN:
            _known.popitem(last=False)


def known() -> tuple[str, ...]:
    """The secrets that were read so far, less very short ones."""
    with _known_lock:
        return tuple(_known)


def refuse_in(command: Sequence[str]) -> None:
    """Raises ValueError where an argument of a program holds a secret that was read."""
    if any(secret in argument for secret in known() for argument in command):
        raise ValueError("a secret in the arguments of a program: everybody on the host could read it")


def masked(text: str) -> str:
    """The text with every secret that was read so far replaced; the longest first, since one may hold another."""
    with _known_lock:
        found = [secret for secret in _known if secret in text]
    for secret in sorted(found, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
