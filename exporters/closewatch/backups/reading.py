"""What tools print, read with suspicion: a value that is not what it should be fails the whole answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from closewatch.core.reasons import Reason, Unavailable

T = TypeVar("T")


def understood(what: str, read: Callable[[], T]) -> T:
    """What `read` makes of a document. Raises Unavailable(invalid_answer) where it has another form."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):
        raise Unavailable(Reason.INVALID_ANSWER, f"{what} has another form") from None


def time_of(text: Any) -> float | None:
    """RFC 3339 as Unix seconds; None for nothing, and for Go's zero time, which is none. Raises ValueError."""
    if text is None or text == "":
        return None
    whole, _, rest = str(text).partition(".")
    # Go prints up to nine digits of a second; Python reads six.
    zone = rest.lstrip("0123456789")
    digits = rest[: len(rest) - len(zone)][:6]
    found = dt.datetime.fromisoformat(f"{whole}.{digits.ljust(6, '0')}{zone}" if rest else whole)
    if found.tzinfo is None:
        found = found.replace(tzinfo=dt.UTC)
    return found.timestamp() if found.year > 1970 else None  # noqa: PLR2004 - the epoch and before: none


def count(value: Any) -> int | None:
    """A number that counts something; None where there is none. Raises ValueError, TypeError."""
    if value is None:
        return None
    found = int(value)
    if isinstance(value, bool) or found < 0:
        raise ValueError
    return found


def mapping(value: Any) -> Mapping[str, Any]:
    """A mapping; an empty one for nothing. Raises TypeError for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError
    return value
