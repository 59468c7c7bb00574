"""The canonical form of JSON, so that a digest is the same everywhere: RFC 8785 (JCS), without floating-point numbers.

Keys are sorted by their UTF-16 code units, there are no spaces, the text is UTF-8.
"""

from __future__ import annotations

from json.encoder import encode_basestring
from typing import Any

DEEPEST = 60
LARGEST = 2**53 - 1
"""Larger integers are not the same number everywhere."""


def canonical(value: Any) -> str:
    """The canonical text. Raises TypeError or ValueError that names the place of what has none."""
    return _text(value, "$", 0)


def _text(value: Any, place: str, depth: int) -> str:
    if depth > DEEPEST:
        raise ValueError(f"{place}: nested too deeply for a record")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _string(value, place)
    if isinstance(value, int):
        if abs(value) > LARGEST:
            raise ValueError(f"{place}: {value} is too large for a record; write it as text")
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(_text(one, f'{place}[{index}]', depth + 1) for index, one in enumerate(value))}]"
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{place}: a key of a record is text, not {type(key).__name__}")
        # Only beyond the basic plane do code units of UTF-16 have another order than characters.
        plain = all(map(str.isascii, value))
        keys = sorted(value) if plain else sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        inside = (f"{_string(key, place)}:{_text(value[key], f'{place}.{key}', depth + 1)}" for key in keys)
        return f"{{{','.join(inside)}}}"
    raise TypeError(f"{place}: {type(value).__name__} has no place in a record; amounts and times are text")


def _string(text: str, place: str) -> str:
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{place}: text with half a character (a lone surrogate) has no place in a record") from None
    return encode_basestring(text)
