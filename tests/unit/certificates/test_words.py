"""The closed sets: each word has its meaning, and its place in the runbook that a person opens at night."""

from __future__ import annotations

from pathlib import Path

import pytest

from closewatch.sources.certificates.words import Fault, Problem

RUNBOOKS = Path(__file__).resolve().parents[3] / "alerting" / "runbooks"


@pytest.mark.parametrize("word", [*Fault, *Problem], ids=lambda word: f"{type(word).__name__}-{word}")
def test_each_has_words_of_its_own(word: Fault | Problem) -> None:
    assert len(word.words.split()) >= 3
    assert [other for other in type(word) if other.words == word.words] == [word]


def test_the_runbooks_explain_all() -> None:
    unreadable = (RUNBOOKS / "CertificateUnreadable.md").read_text(encoding="utf-8")
    invalid = (RUNBOOKS / "CertificateInvalid.md").read_text(encoding="utf-8")
    assert [fault for fault in Fault if fault.value not in unreadable] == []
    assert [problem for problem in Problem if problem.refusal and problem.value not in invalid] == []


def test_what_a_client_bears_is_no_refusal() -> None:
    assert {problem.value for problem in Problem if not problem.refusal} == {
        "weak_key", "weak_signature", "malformed_extension", "chain_order", "too_many_certificates", "staple_missing",
        "staple_expired", "staple_invalid",
    }  # fmt: skip
