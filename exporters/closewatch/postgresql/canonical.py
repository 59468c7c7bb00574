"""Facts as one number, so that a change of them can be alerted and nothing of what they say is in a label.

Prometheus can tell that a number changed (`changes()`), not what a list of roles looks like. So the rows are brought
into one form and one order, and 48 bits of their SHA-256 are the value: exact in a float, and the same from every
exporter, after every restart. Another form of the same facts would be another number, and an alert: leave the form as
it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

BYTES = 6


def fingerprint(rows: Iterable[Sequence[str | int | float | bool | None]]) -> float:
    """A whole number below 2**48 that stands for these rows in this order."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(list(row), separators=(",", ":")).encode() + b"\n")
    return float(int.from_bytes(digest.digest()[:BYTES], "big"))


def as_text(column: str) -> str:
    r"""SQL for a name as text. In a database without an encoding a name may be no valid text: its bytes become \351."""
    return (
        "CASE WHEN pg_catalog.getdatabaseencoding() = 'SQL_ASCII'"
        f" THEN pg_catalog.encode(pg_catalog.convert_to({column}::text, 'SQL_ASCII'), 'escape')"
        f" ELSE {column}::text END"
    )
