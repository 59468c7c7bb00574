"""The tree as it is: code, references, rules, dashboards and runbooks are in step. One test by kind of check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.all_checks import CHECKS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_the_tree_is_in_step(check: Callable[[Path], list[str]]) -> None:
    assert check(ROOT) == []
