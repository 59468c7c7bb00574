"""docs/reference/alerts.md, from alerting/rules: what fires, when, for whom, and what can be tuned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from tools.markdown import cell, table

INTRODUCTION = """# Alerts

Every alert also carries `environment`, `cell`, `tenant` and `target`, as far as its subject has them. **critical**
wakes someone; **warning** is for working hours. Where both fire, the critical one hides its own warning. A
**threshold** is a default that holds until a series `closewatch_threshold{check, severity, environment, tenant,
target}` says otherwise for that target; **for** is how long the condition must last.
"""
_LABELS = ("severity", "domain", "layer", "audience", "cause")
_PROMETHEUS_TEMPLATE = re.compile(r"{{.*?}}")


def render(root: Path) -> str:
    """The whole page."""
    return "\n".join(_parts(root)).rstrip() + "\n"


def _parts(root: Path) -> Iterator[str]:
    yield INTRODUCTION
    findings: list[dict[str, Any]] = []
    for path in sorted((root / "alerting" / "rules").glob("*.yml")):
        groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        findings += [rule for rule in rules if rule.get("record") == "closewatch:finding"]
        alerts: dict[str, list[dict[str, Any]]] = {}
        for rule in rules:
            if "alert" in rule:
                alerts.setdefault(rule["alert"], []).append(rule)
        yield f"## {path.stem}\n"
        yield f"Rules: [{path.relative_to(root)}](../../{path.relative_to(root)}).\n"
        for name, variants in alerts.items():
            yield from _alert(name, variants)
    yield from _findings(findings)


def _alert(name: str, variants: list[dict[str, Any]]) -> Iterator[str]:
    yield f"### {name}\n"
    impacts: dict[str, str] = {}
    for rule in variants:
        impacts.setdefault(cell(rule["annotations"]["impact"]), rule["labels"]["severity"])
    if len(impacts) == 1:
        yield f"{next(iter(impacts))}\n"
    else:
        yield from (f"- {severity}: {impact}" for impact, severity in impacts.items())
        yield ""
    yield f"[Runbook](../../alerting/runbooks/{name}.md)\n"
    rows = []
    for rule in variants:
        labels = rule.get("labels", {})
        more = {key: value for key, value in labels.items() if key not in _LABELS}
        rows.append(
            (
                f"**{labels.get('severity', '')}**" + "".join(f", `{key}={value}`" for key, value in more.items()),
                f"{labels.get('domain', '')}, {labels.get('layer', '')}" + (", cause" if labels.get("cause") else ""),
                labels.get("audience", ""),
                rule.get("for", "0s"),
                ", ".join(f"`{check}` {value}" for check, value in thresholds(rule["expr"]).items()),
                _plain(rule.get("annotations", {}).get("summary", "")),
            )
        )
    yield from table(("severity", "domain, layer", "audience", "for", "thresholds", "says"), rows)


def _findings(findings: list[dict[str, Any]]) -> Iterator[str]:
    if findings:
        yield "## Findings\n"
        yield "Lesser conditions, recorded as `closewatch:finding` and never sent to anyone.\n"
        labels = [rule["labels"] for rule in findings]
        rows = [(f"`{one['finding']}`", one.get("domain", ""), one.get("layer", "")) for one in labels]
        yield from table(("finding", "domain", "layer"), rows)


def thresholds(expr: str) -> dict[str, str]:
    """Names and defaults of the thresholds of an expression: `overrides or 0 * ... + default`."""
    found: dict[str, str] = {}

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.BinaryExpr) and str(node.op) == "or":
            for check in _checks(node.lhs):
                found[check] = _default(node.rhs)
        return True

    promql_parser.walk(promql_parser.parse(expr), visit)
    return found


def _checks(expr: promql_parser.Expr) -> set[str]:
    """The checks that an expression takes overrides for."""
    overrides = [one for one in _selectors(expr) if one.name == "closewatch_threshold"]
    return {matcher.value for one in overrides for matcher in one.matchers.matchers if matcher.name == "check"}


def _selectors(expr: promql_parser.Expr) -> list[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(expr, visit)
    return found


def _default(expr: promql_parser.Expr) -> str:
    """`0 * group(...) + 100` adds the default to nothing; anything else is a default that is measured."""
    while isinstance(expr, promql_parser.ParenExpr):
        expr = expr.expr
    if isinstance(expr, promql_parser.BinaryExpr) and str(expr.op) == "+":
        number = expr.rhs
        if isinstance(number, promql_parser.NumberLiteral):
            return f"{number.val:,.12g}".replace(",", " ")
    names = sorted({use.name or "" for use in _selectors(expr)})
    return "as " + ", ".join(f"`{name}` says" for name in names)


def _plain(summary: str) -> str:
    """A summary without the parts that Prometheus fills in."""
    return " ".join(_PROMETHEUS_TEMPLATE.sub("…", summary).split())
