"""What contradicts figures recorded earlier, and what doesn't."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from closewatch.books.chain import verify
from closewatch.books.fingerprints import MOST, Anchors, compare, heads, highest, short, shown
from closewatch.books.numbering import Sequence
from tests.unit.books.ledger import Row, entries, ledger, secure

HASHES = ["$4$" + digit * 64 for digit in "0123"]
BEFORE: dict[str, Any] = {
    "identity": "a" * 32,
    "series": "18.0",
    "posted": {"1": 99, "2": 83},
    "newest_created": "2026-11-22T06:50:20.321905Z",
    "newest_written": "2026-11-22T06:55:00.000000Z",
    "trial": "f" * 64,
    "heads": [[16, "HINV/2026/", 7, HASHES[0]], [8, None, 8, HASHES[1]]],
    "highest": [[1, "INV/2026/", 100], [16, "HINV/2026/", 7]],
}


def differing(change: Callable[[dict[str, Any]], object]) -> list[str]:
    now = copy.deepcopy(BEFORE)
    change(now)
    return compare(BEFORE, now)


def put(key: str, value: Any) -> Callable[[dict[str, Any]], object]:
    return lambda now: now.__setitem__(key, value)


CONTRADICTIONS = {
    "identity": (put("identity", "b" * 32), "identity is another"),
    "identity gone": (put("identity", None), "identity is another"),
    "series": (put("series", "17.0"), "series of Odoo is another"),
    "fewer": (put("posted", {"1": 98, "2": 84}), "company 1 has 98 posted entries, fewer than the 99"),
    "a company gone": (put("posted", {"1": 99}), "company 2 has 0 posted entries, fewer than the 83"),
    "older": (put("newest_created", "2026-11-22T06:50:20.321904Z"), "created before"),
    "changed before": (put("newest_written", None), "changed before"),
    "sums": (put("trial", "e" * 64), "other sums"),
    "head": (lambda now: now["heads"][0].__setitem__(3, HASHES[2]), "journal 16 has another hash at 7"),
    "head earlier": (lambda now: now["heads"][1].__setitem__(2, 6), "journal 8 ends at 6, before the 8"),
    "chain gone": (lambda now: now["heads"].pop(), "journal 8 is gone"),
    "number lower": (lambda now: now["highest"][0].__setitem__(2, 28), "journal 1 ends at 28, below the 100"),
    "sequence gone": (lambda now: now["highest"].pop(0), "journal 1 that reached 100 is gone"),
}


@pytest.mark.parametrize("what", sorted(CONTRADICTIONS))
def test_a_contradiction_is_said(what: str) -> None:
    change, words = CONTRADICTIONS[what]
    (said,) = differing(change)
    assert words in said
    assert "HINV" not in said


def test_the_same_figures_contradict_nothing_also_after_they_were_stored() -> None:
    assert compare(BEFORE, BEFORE) == []
    assert compare(json.loads(json.dumps(BEFORE)), BEFORE) == []


def test_more_is_no_contradiction() -> None:
    def grow(now: dict[str, Any]) -> None:
        now["posted"] = {"1": 120, "2": 83, "3": 1}
        now["newest_created"] = now["newest_written"] = "2026-11-23T00:00:00.000000Z"
        now["trial"] = "e" * 64
        now["heads"] = [[16, "HINV/2026/", 9, HASHES[3]], [8, None, 8, HASHES[1]], [9, "X/", 1, HASHES[2]]]
        now["highest"] = [[1, "INV/2026/", 104], [16, "HINV/2026/", 9]]

    assert differing(grow) == []


def test_nothing_recorded_contradicts_nothing() -> None:
    assert compare({}, BEFORE) == []
    assert compare({"identity": None, "posted": {}}, BEFORE) == []


def test_nothing_found_contradicts_all_that_was_recorded() -> None:
    assert len(compare(BEFORE, {})) == 10


def grown() -> tuple[list[Row], dict[str, Any]]:
    """Ten entries, and what was recorded when there were six."""
    rows = secure(ledger(10))
    return rows, {"heads": heads(verify(entries(rows[:6])))}


def look(rows: list[Row], before: dict[str, Any]) -> list[str]:
    anchors = Anchors(before)
    now = {"heads": heads(verify(anchors.listen(entries(rows))))}
    return compare(before, now, anchors)


def test_a_hash_within_a_chain_that_grew_is_still_compared() -> None:
    rows, before = grown()
    assert look(rows, before) == []
    rows[0].lines[0]["debit"] += 1
    secure(rows)
    (said,) = look(rows, before)
    assert "no longer has the hash that was recorded at 6" in said
    now = {"heads": heads(verify(entries(rows)))}
    assert compare(before, now) == []


def test_the_recorded_entry_may_itself_have_lost_its_hash() -> None:
    rows, before = grown()
    rows[5].hash = None
    assert len(look(rows, before)) == 1


def test_a_chain_whose_end_was_cut_off_is_noticed() -> None:
    rows, before = grown()
    (said,) = look(rows[:4], before)
    assert "ends at 4, before the 6 recorded" in said


def test_there_is_an_end_to_what_is_kept_and_the_newest_are() -> None:
    chains = verify(entries([row for journal in range(1, MOST + 9) for row in secure(ledger(1, journal=journal))]))
    assert len(heads(chains)) == MOST
    sequences = [Sequence(1, f"{number}/", 1, 1, 1) for number in range(MOST + 9)]
    kept = highest(sequences)
    assert (len(kept), kept[0]) == (MOST, [1, "0/", 1])
    assert compare({"highest": highest(sequences[9:])}, {"highest": kept}) == []


def test_texts_of_the_database_are_kept_short_and_told_apart() -> None:
    assert shown(HASHES[0]) == HASHES[0]
    assert shown("0" * 64) == "0" * 64
    assert shown("drop table").startswith("other:")
    assert shown("drop table") != shown("drop tables")
    assert short("INV/2026/") == "INV/2026/"
    assert short("x" * 70) != short("x" * 71)
    assert len(short("x" * 10**6)) < 100
