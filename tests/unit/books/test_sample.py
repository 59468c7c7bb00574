"""The sample ledger as text: always the same, and nothing in it that could be taken for a secret."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closewatch.books.sample import GAP, GAP_JOURNAL, entry, sample


def test_the_same_arguments_give_the_same_text() -> None:
    assert sample(30, [("ab/cd", 5)]) == sample(30, [("ab/cd", 5)])
    assert entry(3) == entry(3)


def test_another_name_is_another_database() -> None:
    identities = {re.findall(r"'database\.uuid', '([0-9a-f-]{36})'", sample(1, name=name))[0] for name in ("a", "b")}
    assert len(identities) == 2


def test_it_has_no_secret() -> None:
    assert re.findall(r"secret|password|passwd|token", sample(50), re.IGNORECASE) == []


def test_one_number_is_missing() -> None:
    names = set(re.findall(r"'BNK1/2026/(\d{5})', 'posted', 'entry'", sample(40)))
    assert GAP_JOURNAL == 2
    assert names == {f"{number:05d}" for number in range(1, 12)} - {f"{GAP:05d}"}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 40), st.dates(dt.date(2000, 1, 1), dt.date(2090, 1, 1)))
def test_any_number_of_entries_from_any_day(entries: int, start: dt.date) -> None:
    text = sample(entries, start=start)
    assert len(re.findall(r"'posted', '(?:entry|out_invoice)', 'no'", text)) == entries


@pytest.mark.parametrize("file", ["ab/it's", 'x"; DROP TABLE res_company; --'])
def test_names_of_files_stay_texts(file: str) -> None:
    assert "'" + file.replace("'", "''") + "'" in sample(0, [(file, 1)])
