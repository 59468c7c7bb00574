"""Sentences for people, put together."""

from __future__ import annotations


def number_of(number: int, one: str, many: str = "") -> str:
    """A number and what it counts: `1 record`, `2 records`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
