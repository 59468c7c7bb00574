"""Answers of Redis and Valkey as rows. What a row doesn't name is dropped here: commands, addresses, password hashes.

Sources: the commands' pages in Redis' and Valkey's documentation; RESP2's forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from closewatch.core.collectors import Row
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources.redis.command import Shape

MAX_ROWS = 200
MAX_FIELDS = 5_000


def rows_of(shape: Shape, raw: Any) -> list[Row]:
    """The rows of an answer. Raises Unavailable(invalid_answer) for what has another form."""
    try:
        return _SHAPES[shape](raw)
    except (TypeError, ValueError, AttributeError, IndexError, KeyError):
        raise Unavailable(Reason.INVALID_ANSWER, f"not the form of {shape}") from None


def text(raw: Any) -> str:
    """Text as it was sent; bytes that aren't UTF-8 are replaced. Raises TypeError."""
    if isinstance(raw, bytes):
        return raw.decode("utf-8", "replace")
    if isinstance(raw, str):
        return raw
    raise TypeError


def info(raw: Any) -> list[Row]:
    """`name:value` lines, as INFO and CLUSTER INFO give them."""
    found: dict[str, str] = {}
    for line in text(raw).splitlines():
        name, colon, value = line.partition(":")
        if colon and not name.startswith("#"):
            found[name] = value
        if len(found) > MAX_FIELDS:
            raise ValueError
    return [found]


def _pairs(raw: Any) -> list[Row]:
    """CONFIG GET: names and values in turn."""
    return [dict(zip(map(text, raw[::2]), map(text, raw[1::2]), strict=True))]


def _user(raw: Any) -> list[Row]:
    """ACL GETUSER: whether the user may log in, how, and the rules of what it may do; no row without such a user."""
    if raw is None:
        return []
    fields = dict(zip(map(text, raw[::2]), raw[1::2], strict=True))
    flags = [text(flag) for flag in fields["flags"]]
    selectors = (dict(zip(map(text, one[::2]), one[1::2], strict=True)) for one in fields.get("selectors", ()))
    rules = [text(one["commands"]) for one in (fields, *selectors)]
    return [{"on": "on" in flags, "nopass": "nopass" in flags, "rules": "\n".join(rules)}]


def _slow(raw: Any) -> list[Row]:
    """SLOWLOG GET: number and time; the command itself may hold data and is dropped."""
    return [{"id": int(entry[0]), "at": int(entry[1]), "microseconds": int(entry[2])} for entry in raw[:MAX_ROWS]]


def _events(raw: Any) -> list[Row]:
    """LATENCY LATEST: the newest and the longest of each event, in milliseconds."""
    return [
        {"event": text(entry[0]), "at": int(entry[1]), "last": int(entry[2]), "max": int(entry[3])}
        for entry in raw[:MAX_ROWS]
    ]


def _denied(raw: Any) -> list[Row]:
    """ACL LOG: how long ago in seconds; who it was and what was tried is dropped."""
    found: list[Row] = []
    for entry in raw[:MAX_ROWS]:
        fields: Mapping[str, Any] = dict(zip(map(text, entry[::2]), entry[1::2], strict=True))
        found.append({"age": float(fields["age-seconds"])})
    return found


_SHAPES: Mapping[Shape, Callable[[Any], list[Row]]] = {
    "info": info,
    "pairs": _pairs,
    "user": _user,
    "slow": _slow,
    "events": _events,
    "denied": _denied,
}
