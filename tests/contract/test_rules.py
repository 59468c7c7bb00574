"""The rules load and pass their tests in each promtool at hand, and each check of their form notices its fault."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract import checks_rules

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted((ROOT / "alerting" / "rules").glob("*.yml"))
TESTS = sorted((ROOT / "alerting" / "tests").glob("*.yml"))
NEEDED = ("alerting", "exporters/closewatch/core/reasons.py")


def run(promtool: Path, *arguments: str | Path) -> None:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_load(promtool: Path) -> None:
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *RULES)


@pytest.mark.parametrize("file", TESTS, ids=lambda path: path.stem)
def test_the_rules_do_what_they_should(promtool: Path, file: Path) -> None:
    run(promtool, "test", "rules", file)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in NEEDED:
        source, copy = ROOT / name, tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        _ = shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    return tmp_path


def test_the_untouched_tree_is_well(tree: Path) -> None:
    assert checks_rules.check(tree) == []


Fault = tuple[str, str, str, str]
ON = r"> on \(environment, tenant, target\) group_left \(\)"
FAULTS: dict[str, Fault] = {
    "a severity of its own": ("rules/odoo", "severity: critical\n", "severity: page\n", "severity is 'page'"),
    "a misspelt domain": ("rules/odoo", "domain: availability", "domain: available", "domain is 'available'"),
    "the layer of another concern": ("rules/odoo", "layer: application", "layer: database", "layer is 'database'"),
    "a label that nothing declares": (
        "rules/odoo",
        "severity: warning\n          domain",
        "severity: warning\n          team: x\n          domain",
        "labels that nothing declares: team",
    ),
    "a warning as a cause": (
        "rules/postgresql",
        "severity: critical\n(          domain: availability\n.*\n.*\n          cause)",
        r"severity: warning\n\1",
        "only on a critical alert",
    ),
    "cause on integrity": (
        "rules/postgresql",
        "domain: availability(\n.*\n.*\n          cause)",
        r"domain: integrity\1",
        "only on a critical alert",
    ),
    "no impact": ("rules/odoo", r"          impact: >-\n(            .*\n)+", "", "annotations are"),
    "a value in the summary": ("rules/odoo", "summary: An", "summary: An {{ $value }}", "no templates"),
    "a full stop in the summary": ("rules/odoo", "is unavailable\n", "is unavailable.\n", "without a full stop"),
    "the runbook of another alert": (
        "rules/odoo",
        "runbooks/OdooCronLate",
        "runbooks/OdooCron",
        "runbook_url is not",
    ),
    "another dashboard": ("rules/odoo", "d/closewatch-odoo", "d/mine", "dashboard_url"),
    "no aggregation": (
        "rules/postgresql",
        r"max by \(.*?\) \((closewatch_postgresql_members\{role=\"primary\"\})\)",
        r"\1",
        "nothing bounds the labels",
    ),
    "an aggregation by the exporter": (
        "rules/postgresql",
        r"max by \(environment, cell, tenant, target\) (\(closewatch_postgresql_members)",
        r"max by (environment, cell, tenant, target, instance) \1",
        "its result is by",
    ),
    "an aggregation without the tenant": (
        "rules/postgresql",
        r"max by \(environment, cell, tenant, target\) (\(closewatch_postgresql_members)",
        r"max by (environment, cell, target) \1",
        "its result is by",
    ),
    "a record by the exporter": (
        "rules/odoo",
        r"max by \(environment, cell, tenant, target, active\)",
        "max by (environment, cell, tenant, target, active, pod)",
        "which a restart changes",
    ),
    "a limit that can't be overridden": (
        "rules/postgresql",
        r'(members\{role="primary"\}\)) > 1',
        r"\1 > 2",
        "2 can't be overridden",
    ),
    "a limit matched by fewer labels": ("rules/postgresql", ON, "> on (target) group_left ()", "is matched by"),
    "an override that isn't collapsed": (
        "rules/postgresql",
        r"max by \(environment, tenant, target\) (\(\s+last_over_time\(closewatch_threshold)",
        r"max by (environment, tenant, target, source) \1",
        "rows with other labels must not survive",
    ),
    "an override that isn't held": ("rules/postgresql", r"\[1h\]\)\n( +\)\n +or)", r"[5m])\n\1", "is held by"),
    "the override of the other severity": (
        "rules/postgresql",
        'check="postgresql_blocked_sessions",severity="critical"',
        'check="postgresql_blocked_sessions",severity="warning"',
        "the rule's own",
    ),
    "a default that other tenants have too": (
        "rules/postgresql",
        r"0 \* group by \(environment, tenant, target\)",
        "0 * group by (environment, target)",
        "the default is",
    ),
    "another limit in the text": (
        "rules/postgresql",
        r"\(default limit 80 %\)",
        "(default limit 85 %)",
        "the description says",
    ),
    "a limit changed in a recorded condition": ("rules/odoo", r"\+ 900\n", "+ 901\n", "the description says"),
    "no value in the text": (
        "rules/postgresql",
        r"\{\{ \$value \| humanizePercentage \}\} of the",
        "Most of the",
        "doesn't say the value",
    ),
    "a cause that comes late": (
        "rules/postgresql",
        r"(unless on .*\n +closewatch:postgresql_changing:target\n +for: )1m",
        r"\g<1>5m",
        "than its cause PostgresqlDown",
    ),
    "a symptom that is held as long": (
        "rules/odoo",
        "for: 3m\n        keep_firing_for: 3m",
        "for: 3m\n        keep_firing_for: 5m",
        "than its cause",
    ),
    "nothing bridges a restart": ("rules/odoo", "keep_firing_for: 2m", "keep_firing_for: 1m", "keep_firing_for is"),
    "a long wait that a restart ends": (
        "rules/odoo",
        r"last_over_time\((closewatch_odoo_modules_pending)\[10m\]\)",
        r"\1",
        "starts this long",
    ),
    "copies that page": (
        "rules/odoo",
        r"\n +unless on \(environment, cell, tenant, target\)\n +closewatch:odoo_quiet:target(\n +for)",
        r"\1",
        "odoo_quiet",
    ),
    "copies that page by a recorded condition": (
        "rules/odoo",
        r"unless on \(environment, cell, tenant, target\)\n +closewatch:odoo_quiet:target(\n +labels:\n +condition)",
        r"\1",
        "odoo_quiet",
    ),
    "a reason of which nobody tells": ("rules/closewatch", "database_missing\\|", "", "doesn't tell"),
    "a reason that there isn't": ("rules/*", "read_only_violation", "readonly", "is no reason"),
    "a case that isn't shown": (
        "tests/postgresql",
        "just below, restarted, two exporters, gone'",
        "just below, restarted, gone'",
        "has no case 'two exporters'",
    ),
    "a case that is only said": ("tests/postgresql", r'instance="b"', 'instance="a"', "no series that make the case"),
    "a case that there isn't": ("tests/odoo", ": fires'", ": burns'", "is none of"),
    "a test of another rule": ("tests/odoo", "name: 'OdooDatabase", "name: 'OdooDatabases", "is about no rule"),
    "a test of an alert that there isn't": ("tests/odoo", "alertname: OdooDatabase", "alertname: OdooD", "no alert"),
}


def change(root: Path, pattern: str, old: str, new: str) -> None:
    changed = 0
    for path in sorted((root / "alerting").glob(f"{pattern}.yml")):
        text, times = re.subn(old, new, path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
        changed += times
    assert changed, f"{old} is not in {pattern}: the test must be given something that is there"


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_is_noticed(what: str, tree: Path) -> None:
    pattern, old, new, expected = FAULTS[what]
    change(tree, pattern, old, new)
    assert [problem for problem in checks_rules.check(tree) if expected in problem]


NAMES: dict[str, Callable[[Path], None]] = {
    "the prefix of another concern": lambda root: change(root, "rules/odoo", "OdooCronLate", "PostgresqlCronLate"),
    "no rules": lambda root: shutil.rmtree(root / "alerting" / "rules"),
}


@pytest.mark.parametrize("what", NAMES)
def test_names_and_an_empty_tree_are_noticed(what: str, tree: Path) -> None:
    NAMES[what](tree)
    assert checks_rules.check(tree)
