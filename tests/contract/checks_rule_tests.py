"""promtool tests: each alerting rule has its cases, and an entry that names a case has the series that make it one.

An entry is named `<AlertName> <severity>[ <static labels>]: <case>, <case>`; the cases are those of CASES. What has
another name is a story, and counts for nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.contract.checks_metrics import TARGET_LABELS
from tests.contract.tree import Rule, rules

STANDARD = {"severity", "domain", "audience", "layer", "cause"}
NAME = re.compile(r"([A-Z]\w+) (critical|warning)((?: \w+)*): (.+)")
INSTANCE = re.compile(r',?instance="[^"]*"')
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Ten times faster where PyYAML was built with it; the files are long."""
Entry = Mapping[str, Any]


def _series(entry: Entry) -> dict[str, str]:
    return {one["series"]: str(one["values"]) for one in entry.get("input_series", ())}


def _fires(entry: Entry) -> bool:
    return any(test["exp_alerts"] for test in entry.get("alert_rule_test", ()))


def _checked(entry: Entry) -> bool:
    return bool(entry.get("promql_expr_test") or entry.get("alert_rule_test"))


def _restarted(entry: Entry) -> bool:
    """A series that ends, and one that differs in nothing but the exporter and begins later."""
    ended = {INSTANCE.sub("", name) for name, values in _series(entry).items() if "stale" in values}
    begun = {INSTANCE.sub("", name) for name, values in _series(entry).items() if values.startswith("_")}
    in_place = any(re.search(r"\d (0|stale) |^1x\d+ 0x\d+ 1x", values) for values in _series(entry).values())
    return bool(ended & begun) or in_place


def _two(entry: Entry) -> bool:
    together = [INSTANCE.sub("", name) for name, values in _series(entry).items() if not values.startswith("_")]
    return len(set(together)) < len(together)


def _gone(entry: Entry) -> bool:
    return any(values.endswith("stale") for values in _series(entry).values())


def _policy(entry: Entry) -> bool:
    """Overrides that end, among them two rows for one target."""
    rows = [name for name, values in _series(entry).items() if "closewatch_threshold" in name and "stale" in values]
    plain = [re.sub(r',?(source|instance)="[^"]*"', "", name) for name in rows]
    return bool(rows) and len(set(plain)) < len(plain)


CASES: Mapping[str, Callable[[Entry], bool]] = {
    "fires": _fires,
    "just below": _checked,
    "restarted": _restarted,
    "two exporters": _two,
    "gone": _gone,
    "policy": _policy,
}


def check(root: Path) -> list[str]:
    """Cases that are missing, entries that claim more than they have, and entries for rules that there aren't."""
    found_rules = list(rules(root))
    alerts = [rule for rule in found_rules if rule.alert]
    has = {_title(rule): rule for rule in alerts}
    problems: list[str] = []
    shown: dict[str, set[str]] = {title: set() for title in has}
    for place, entry in entries(root):
        name = str(entry.get("name", ""))
        problems += [f"{place}: tests {alert}, which is no alert" for alert in _unknown(entry, alerts)]
        if not (found := NAME.fullmatch(name)):
            continue
        title = f"{found[1]} {found[2]}{found[3]}"
        if title not in has:
            problems.append(f"{place}: {name!r} is about no rule")
            continue
        for case in found[4].split(", "):
            if case not in CASES:
                problems.append(f"{place}: {name!r}: {case!r} is none of {', '.join(CASES)}")
            elif not CASES[case](entry):
                problems.append(f"{place}: {name!r} has no series that make the case {case!r}")
            else:
                shown[title].add(case)
    for title, rule in has.items():
        for case in sorted(_wanted(rule, found_rules) - shown[title]):
            problems.append(f"alerting/tests: {title} has no case {case!r}")
    return problems


def entries(root: Path) -> Iterator[tuple[str, Entry]]:
    """All entries of the promtool tests, each with its file."""
    for path in sorted((root / "alerting" / "tests").glob("*.yml")):
        for entry in yaml.load(path.read_text(encoding="utf-8"), LOADER)["tests"]:  # noqa: S506 - a safe one
            yield str(path.relative_to(root)), entry


def _title(rule: Rule) -> str:
    labels = rule.body.get("labels", {})
    static = "".join(f" {value}" for label, value in labels.items() if label not in STANDARD | TARGET_LABELS)
    return f"{rule.name} {labels.get('severity')}{static}"


def _wanted(rule: Rule, found: list[Rule]) -> set[str]:
    read = [rule.expr]
    for other in found:
        labels = other.body.get("labels", {})
        if other.name == "closewatch:odoo_condition:target" and (
            labels["condition"] == rule.name and labels["severity"] == rule.body["labels"]["severity"]
        ):
            read.append(other.expr)
    limited = any("closewatch_threshold" in expr for expr in read)
    return set(CASES) if limited else set(CASES) - {"policy"}


def _unknown(entry: Entry, alerts: list[Rule]) -> set[str]:
    known = {rule.name for rule in alerts}
    said = {test["alertname"] for test in entry.get("alert_rule_test", ())}
    for test in entry.get("promql_expr_test", ()):
        samples = [str(sample["labels"]) for sample in test.get("exp_samples") or ()]
        said.update(re.findall(r'alertname="(\w+)"', " ".join([test["expr"], *samples])))
    return said - known
