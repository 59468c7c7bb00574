"""The canonical form: the same bytes for the same content, and a clear no to what has none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closewatch.core.records.canonical import canonical

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))


def test_keys_are_sorted_by_utf_16_as_rfc_8785_has_it():
    """Its example in section 3.2.3, less the numbers."""
    value = {"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One"}
    value |= {
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    order = list(json.loads(canonical(value)))
    assert order == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_text_is_escaped_only_where_it_must_be():
    assert canonical({"a": 'é "\\\n\u001f/'}) == '{"a":"é \\"\\\\\\n\\u001f/"}'


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [1.5]}, r"\$\.a\[0\]: float has no place in a record"),
        ({"a": {1: 2}}, r"\$\.a: a key of a record is text, not int"),
        ({"a": b"x"}, r"\$\.a: bytes has no place"),
        ({"a": 2**53}, r"\$\.a: 9007199254740992 is too large"),
        ({"a": "\ud800"}, r"\$\.a: text with half a character"),
    ],
)
def test_what_has_no_canonical_form_is_named_with_its_place(value, words):
    with pytest.raises((TypeError, ValueError), match=words):
        canonical(value)


def test_nesting_has_an_end():
    value: list[object] = []
    for _ in range(100):
        value = [value]
    with pytest.raises(ValueError, match="nested too deeply"):
        canonical(value)


@given(st.dictionaries(TEXT, JSON, max_size=6))
@settings(deadline=None)
def test_it_is_json_and_the_same_again(value):
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


@given(TEXT)
@settings(deadline=None)
def test_strings_are_written_as_the_standard_library_does(text):
    assert canonical(text) == json.dumps(text, ensure_ascii=False)
