"""Sizes in a configuration: a number of bytes, or text such as `500GiB` or `1.5 TB`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

_PATTERN = r"^([0-9]+(?:\.[0-9]+)?) ?([KMGTP]i?)?B?$"
_POWERS = {letter: power for power, letter in enumerate("KMGTP", start=1)}


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(_PATTERN, value)
    if found is None:
        raise ValueError("is not a size such as 500GiB, 1.5TB or 1073741824")
    number, unit = found.groups()
    if unit is None:
        return int(float(number))
    return int(float(number) * (1024 if unit.endswith("i") else 1000) ** _POWERS[unit[0]])


Bytes = Annotated[
    int,
    BeforeValidator(_bytes),
    Field(gt=0, le=2**60),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": _PATTERN}]}),
]
"""A number of bytes. KiB, MiB, GiB, TiB and PiB are powers of 1024; KB, MB, GB, TB and PB of 1000."""
