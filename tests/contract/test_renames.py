"""A name changed in one place only is noticed: shown on copies of the tree, each broken in one way."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.all_checks import CHECKS

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("alerting", "dashboards", "docs", "exporters", "helm", "tests", "tools", "README.md", "pyproject.toml")
METRIC = "closewatch_postgresql_oldest_transaction_start_timestamp_seconds"
ALERT = "PostgresqlTransactionOpenTooLong"

Change = Callable[[Path], None]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("tree") / "original"
    skipped = shutil.ignore_patterns("__pycache__", ".*_cache")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, symlinks=True, ignore=skipped)
        elif source.exists():
            copy.mkdir(exist_ok=True)
            shutil.copy(source, copy / name)
    return copy


def replace(pattern: str, old: str, new: str, count: int = 0) -> Change:
    """Change text in the files of a pattern; at least one must have it. With `count`, only so often."""

    def change(root: Path) -> None:
        changed = 0
        for path in sorted(root.glob(pattern)):
            text, times = re.subn(rf"\b{old}(?!\w)", new, path.read_text(encoding="utf-8"), count=count)
            if times:
                path.write_text(text, encoding="utf-8")
                changed += times
                if count:
                    break
        assert changed, f"{old} is not in {pattern}: the test must be given a name that is there"

    return change


def rename(old: str, new: str) -> Change:
    def change(root: Path) -> None:
        (root / old).rename(root / new)

    return change


def panel_query(root: Path) -> None:
    """As someone who edits the JSON by hand, or saves it from Grafana."""
    replace("dashboards/*.json", METRIC, f"{METRIC}_new", count=1)(root)


CHANGES: dict[str, Change] = {
    "a metric in the code": replace("exporters/closewatch/postgresql/*.py", METRIC, f"{METRIC}_new"),
    "a metric in a rule": replace("alerting/rules/*.yml", METRIC, f"{METRIC}_new", count=1),
    "a metric in the reference": replace("docs/reference/metrics.md", METRIC, f"{METRIC}_new"),
    "a metric in a promtool test": replace("alerting/tests/*.yml", METRIC, f"{METRIC}_new", count=1),
    "a metric in a panel": panel_query,
    "an alert in the rules": replace("alerting/rules/*.yml", ALERT, f"{ALERT}Renamed"),
    "an alert in the reference": replace("docs/reference/alerts.md", ALERT, f"{ALERT}Renamed"),
    "a runbook": rename(f"alerting/runbooks/{ALERT}.md", f"alerting/runbooks/{ALERT}Renamed.md"),
    "a threshold's default in a rule": replace("alerting/rules/*.yml", "3600", "3601", count=1),
    "a label in a panel": replace("dashboards/*.json", r"environment(?==~)", "enviroment", count=1),
    "a setting in the code": replace("exporters/closewatch/postgresql/settings.py", "standbys: int", "standby: int"),
}


def test_the_untouched_copy_has_no_problem(original: Path) -> None:
    assert [problem for check in CHECKS.values() for problem in check(original)] == []


@pytest.mark.parametrize("what", CHANGES)
def test_a_name_changed_in_one_place_only_is_a_problem(what: str, original: Path, tmp_path: Path) -> None:
    copy = tmp_path / "tree"
    shutil.copytree(original, copy, symlinks=True)
    CHANGES[what](copy)
    assert any(check(copy) for check in CHECKS.values())
