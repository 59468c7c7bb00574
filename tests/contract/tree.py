"""Reads a tree of closewatch's files without importing anything: what is declared, what the rules and panels use.

Everything takes the root, so that the contract tests can look at a copy that was broken on purpose.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import yaml

METRIC = re.compile(r"\bclosewatch_[a-z0-9_]+\b")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_GRAFANA_QUERY = re.compile(r"(?:label_values|query_result)\((.+?)(?:,\s*\w+)?\)$")
_GRAFANA_VARIABLE = re.compile(r"\$\{?\w+(?::\w+)?\}?")


@dataclass(frozen=True)
class Declared:
    """A metric family in the code. `labels` is None where they aren't written as a plain tuple."""

    name: str
    labels: tuple[str, ...] | None
    place: str


@dataclass(frozen=True)
class Use:
    """A metric in an expression, with the labels that its matchers name."""

    name: str
    matchers: frozenset[str]
    place: str


@dataclass(frozen=True)
class Rule:
    """An alerting or recording rule."""

    name: str
    alert: bool
    expr: str
    place: str
    body: dict[str, Any]


@cache
def parsed(text: str) -> ast.Module:
    """A module, parsed once for all copies that have the same text; nobody changes what it gives."""
    return ast.parse(text)


def declarations(root: Path) -> Iterator[Declared | str]:
    """Every family that a module of the program declares; a string where its name can't be found by a search."""
    for path in sorted((root / "exporters").rglob("*.py")):
        module = parsed(path.read_text(encoding="utf-8"))
        constants = {
            target.id: statement.value
            for statement in module.body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
        makers = {
            alias.asname or alias.name
            for statement in module.body
            if isinstance(statement, ast.ImportFrom) and statement.module == "closewatch.core.families"
            for alias in statement.names
        } & {"Gauge", "Counter"}
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers:
                yield _declared(node, constants, f"{path.relative_to(root)}:{node.lineno}")


def _declared(call: ast.Call, constants: dict[str, ast.expr], place: str) -> Declared | str:
    given = dict(zip(("name", "help", "labels"), call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    name = given.get("name")
    if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
        return f"{place}: write the metric's whole name, so that a search finds it"
    labels = given.get("labels", ast.Tuple([]))
    if isinstance(labels, ast.Name):
        labels = constants.get(labels.id, labels)
    try:
        return Declared(name.value, tuple(ast.literal_eval(labels)), place)
    except ValueError:
        return Declared(name.value, None, place)


@cache
def _loaded(text: str) -> Any:
    """A file's content, read once for all copies that have the same; nobody changes what it gives."""
    return yaml.load(text, _LOADER)  # noqa: S506 - a safe one


def rules(root: Path) -> Iterator[Rule]:
    """All rules of alerting/rules."""
    for path in sorted((root / "alerting" / "rules").glob("*.yml")):
        for group in _loaded(path.read_text(encoding="utf-8"))["groups"]:
            for body in group["rules"]:
                name = body.get("alert") or body["record"]
                place = f"{path.relative_to(root)}: {name}"
                yield Rule(name, "alert" in body, body["expr"], place, body)


def panel_queries(root: Path) -> Iterator[tuple[str, str]]:
    """(place, PromQL) of every query in the dashboards: panels, variables, annotations."""
    for path in sorted((root / "dashboards").glob("*.json")):
        for title, text in _queries(json.loads(path.read_text(encoding="utf-8")), "variables"):
            yield f"{path.relative_to(root)}: {title}", _plain(text)


def _queries(node: Any, title: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for item in node:
            yield from _queries(item, title)
    elif isinstance(node, dict):
        title = node.get("title") or title
        if isinstance(node.get("expr"), str):
            yield title, node["expr"]
        query = node.get("query")
        if isinstance(query, dict):
            query = query.get("query")
        if isinstance(query, str) and (
            found := re.search(r"(?:label_values|query_result)\((.+?)(?:,\s*\w+)?\)$", query)
        ):
            yield title, found[1]
        for key, value in node.items():
            if key != "query":
                yield from _queries(value, title)


def _plain(text: str) -> str:
    """PromQL without Grafana's variables: those that stand for a duration, then those inside of strings."""
    text = re.sub(r"\$\{?__(?:rate_)?(?:interval|range)\}?", "5m", text)
    return _GRAFANA_VARIABLE.sub("variable", text)


def uses(expr: str, place: str) -> list[Use]:
    """The metrics that an expression selects. Raises ValueError where it is not PromQL."""
    found: list[Use] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            matchers = node.matchers.matchers
            named = [m.value for m in matchers if m.name == "__name__"]
            name = node.name or (named[0] if named else "")
            found.append(Use(name, frozenset(m.name for m in matchers if m.name != "__name__"), place))
        return True

    promql_parser.walk(promql_parser.parse(expr), visit)
    return found
