"""Sizes in a configuration."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from closewatch.core.sizes import Bytes

SIZE = TypeAdapter(Bytes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500GiB", 500 * 2**30),
        ("1.5 TB", 1_500_000_000_000),
        ("10M", 10_000_000),
        ("1Ki", 1024),
        ("2PiB", 2**51),
        ("4096", 4096),
        ("4096B", 4096),
        (4096, 4096),
    ],
)
def test_a_size(text, expected):
    assert SIZE.validate_python(text) == expected


@pytest.mark.parametrize(
    "wrong", ["", "GiB", "-1GiB", "1 gib", "1e9", "10 %", "0", 0, -5, True, 1.5, None, "9999999PB"]
)
def test_what_is_no_size(wrong):
    with pytest.raises(ValidationError):
        SIZE.validate_python("true" if wrong is True else wrong)
