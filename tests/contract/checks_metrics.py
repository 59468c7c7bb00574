"""Metrics: declared, documented, and used by rules, panels and texts, without parting ways.

`check(root)` gives one sentence for each thing that is wrong in a tree; an empty list means that all is in step.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.contract.tree import METRIC, Declared, Use, declarations, panel_queries, parsed, rules, uses

REFERENCE = Path("docs/reference/metrics.md")
UNUSED = Path("docs/reference/unused.yml")
FOREIGN = Path("docs/reference/foreign.yml")
TEXTS = (
    "README.md",
    "docs/**/*.md",
    "alerting/**/*.md",
    "alerting/**/*.yml",
    "alerting/**/*.tmpl",
    "helm/**/*.md",
    "dashboards/*.json",
    "exporters/**/*.sql",
)
TARGET_LABELS = {"environment", "cell", "tenant", "target"}
SCRAPE_LABELS = {"job", "instance"}
_ROW = re.compile(r"^\| `(closewatch_\w+)` \|", re.MULTILINE)


def check(root: Path) -> list[str]:
    """Everything that is out of step between code, references, rules, dashboards and texts."""
    found = list(declarations(root))
    problems = [problem for problem in found if isinstance(problem, str)]
    declared: dict[str, Declared] = {}
    for family in found:
        if isinstance(family, Declared):
            if family.name in declared:
                problems.append(f"{family.place}: {family.name} is declared at {declared[family.name].place} too")
            declared[family.name] = family
    foreign = _foreign(root)
    recorded = {rule.name for rule in rules(root) if not rule.alert}
    used, errors = _uses(root)
    problems += errors
    problems += _wrong_uses(used, declared, foreign, recorded)
    problems += _documented(root, set(declared))
    problems += _useless(root, set(declared), {use.name for use in used})
    known = set(declared) | set(foreign)
    problems += _texts(root, known)
    problems += _docstrings(root, known)
    return list(dict.fromkeys(problems))


def _foreign(root: Path) -> dict[str, set[str]]:
    """The metrics that others export and that our rules and panels may use, with their labels."""
    listed = yaml.safe_load((root / FOREIGN).read_text(encoding="utf-8"))
    return {name: set(labels) for component in listed.values() for name, labels in component["metrics"].items()}


def _uses(root: Path) -> tuple[list[Use], list[str]]:
    expressions = [(rule.place, rule.expr) for rule in rules(root)]
    expressions += panel_queries(root)
    used: list[Use] = []
    problems: list[str] = []
    for place, expr in expressions:
        try:
            used += uses(expr, place)
        except ValueError as error:
            problems.append(f"{place}: not PromQL: {error}")
    return used, problems


def _wrong_uses(
    used: list[Use], declared: dict[str, Declared], foreign: dict[str, set[str]], recorded: set[str]
) -> Iterator[str]:
    for use in used:
        if use.name in recorded:
            continue
        if use.name in declared:
            own = declared[use.name].labels
            labels = None if own is None else {*own, *TARGET_LABELS, *SCRAPE_LABELS}
        elif use.name in foreign:
            labels = None if "*" in foreign[use.name] else foreign[use.name] | SCRAPE_LABELS
        else:
            yield f"{use.place}: uses {use.name}, which nothing declares and {FOREIGN} doesn't list"
            continue
        if labels is not None:
            for label in sorted(use.matchers - labels - {f"exported_{one}" for one in TARGET_LABELS}):
                yield f"{use.place}: selects {use.name} by {label}, a label that it doesn't have"


def _documented(root: Path, declared: set[str]) -> Iterator[str]:
    documented = set(_ROW.findall((root / REFERENCE).read_text(encoding="utf-8")))
    for name in sorted(declared - documented):
        yield f"{name} is declared and not in {REFERENCE}: make docs"
    for name in sorted(documented - declared):
        yield f"{name} is in {REFERENCE} and not declared: make docs"


def _useless(root: Path, declared: set[str], used: set[str]) -> Iterator[str]:
    """What nobody reads costs memory in each Prometheus: it's used, or listed with the reason why it's worth that."""
    reasons = yaml.safe_load((root / UNUSED).read_text(encoding="utf-8")) or {}
    for name in sorted(declared - used - set(reasons)):
        yield f"{name} is used by no rule and no panel, and {UNUSED} gives no reason for it"
    for name in sorted(set(reasons) - declared):
        yield f"{UNUSED}: {name} is not declared"
    for name in sorted(set(reasons) & used):
        yield f"{UNUSED}: {name} is used by a rule or a panel now: remove the line"
    for name, reason in reasons.items():
        if not isinstance(reason, str) or len(reason.split()) < 4:
            yield f"{UNUSED}: {name} needs a reason in a sentence"


def _texts(root: Path, known: set[str]) -> Iterator[str]:
    """Names in prose, commands, templates and promtool's tests."""
    words = _first_words(known)
    for path in sorted({path for pattern in TEXTS for path in root.glob(pattern)}):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for name in _unknown(line, known, words):
                yield f"{path.relative_to(root)}:{number}: names {name}, which nothing declares"


def _docstrings(root: Path, known: set[str]) -> Iterator[str]:
    """The sample output that a collector's docstring shows."""
    words = _first_words(known)
    for path in sorted((root / "exporters").rglob("*.py")):
        text = ast.get_docstring(parsed(path.read_text(encoding="utf-8"))) or ""
        for name in _unknown(text, known, words):
            yield f"{path.relative_to(root)}: its docstring names {name}, which nothing declares"


def _first_words(known: set[str]) -> set[str]:
    return {name.split("_")[1] for name in known if name.startswith("closewatch_")}


def _unknown(text: str, known: set[str], words: set[str]) -> list[str]:
    """Names that look like our metrics, by their first word, and aren't. A prefix (`closewatch_target_*`) is fine."""
    found = {name for name in METRIC.findall(text) if name.split("_")[1] in words and not name.endswith("_")}
    return sorted(found - known)
