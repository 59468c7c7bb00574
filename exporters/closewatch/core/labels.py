"""Label values out of what a watched system says: hostile until cleaned.

Cleaning bounds the length and replaces what isn't valid text. A shortened value carries a hash of the whole, so that
two long names stay two series. Quotes, line breaks and backslashes are left to the exposition format, which escapes
them.
"""

from __future__ import annotations

import hashlib

MAX_LENGTH = 120


def clean(value: str) -> str:
    """The value as a label: valid UTF-8 without NUL, at most 120 characters."""
    if value.isascii() and len(value) <= MAX_LENGTH and "\x00" not in value:
        return value
    text = value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
    if len(text) <= MAX_LENGTH:
        return text
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{text[: MAX_LENGTH - 13]}~{digest}"
