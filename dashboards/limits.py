"""The limits of the alerts, read from the rules: what a chart draws as a line is what an alert compares with.

An override by tenant (closewatch_threshold) moves an alert and not the line: the panel shows the default.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

from dashboards.parts import ORANGE, RED, Limits

RULES = Path(__file__).resolve().parents[1] / "alerting" / "rules"
COLORS = {"warning": ORANGE, "critical": RED}


@cache
def limits(check: str) -> Limits:
    """The defaults of a check (the label of its overrides). Raises KeyError where no rule has one."""
    steps: dict[float, str] = {}
    alerts: dict[str, None] = {}
    for alert, expr in _rules():
        for severity, default in _defaults(check, expr):
            steps[default or 1] = COLORS[severity]  # more than 0 of what is counted is 1
            alerts[alert] = None
    if not steps:
        raise KeyError(f"no rule in {RULES} has a default for the check {check}")
    return Limits(tuple(sorted(steps.items())), tuple(alerts))


def _defaults(check: str, expr: str) -> list[tuple[str, float]]:
    """(severity, literal): `closewatch_threshold{check=..., severity=...} ... or 0 * group by (...) (...) + LIMIT`."""
    form = rf'check="{check}",\s*severity="(\w+)"(?:(?!closewatch_threshold).)*?\bor\b\s+0 \*.*?\)\s*\+\s*([0-9.e]+)'
    return [(severity, float(literal)) for severity, literal in re.findall(form, expr, re.DOTALL)]


@cache
def _rules() -> tuple[tuple[str, str], ...]:
    """(alert, expression), also of recorded conditions that name the alert they are for."""
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(RULES.glob("*.yml"))]
    rules = [rule for file in files for group in file["groups"] for rule in group["rules"]]
    named = [(rule.get("alert") or rule.get("labels", {}).get("condition"), rule["expr"]) for rule in rules]
    return tuple((alert, expr) for alert, expr in named if alert)
