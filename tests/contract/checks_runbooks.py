"""Runbooks: one for each alert, in step with the rules, with its four sections, and commands that can be read.

`check(root)` gives one sentence for each thing that is wrong in a tree; an empty list means that all is in step.
`blocks(text)` gives the commands, for the tests that run them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.contract.tree import rules, uses

FOLDER = Path("alerting/runbooks")
REASONS = Path("exporters/closewatch/core/reasons.py")
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
KEYS = {
    "alert", "severity", "domain", "audience", "layer", "process", "owner", "escalation", "related", "evidence",
}  # fmt: skip
FROM_RULE = ("severity", "domain", "audience", "layer")
OWNERS = {"platform on-call", "platform team", "DBA", "service owner", "security officer"}
PROCESSES = {
    "invoicing", "payment runs", "payroll", "closing", "bank reconciliation", "reporting", "monitoring",
}  # fmt: skip
# What an operator must find in every mitigation: what a step can break, the way back, and where to stop.
PROMISES = {"risk": r"\bRisk:", "rollback": r"Rollback|roll(ed)? back|no way back|undone", "when to stop": r"\bStop\b"}
FENCES = {
    "sh", "python", "yaml", "sql", "sql standby", "sql odoo", "sql mitigation", "sql standby mitigation",
    "sql odoo mitigation",
}  # fmt: skip
_FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_QUERY = re.compile(r"--data-urlencode\s+(?:\\\n\s*)?'query=(.*?)'(?:\s|$)", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: what it is written as (`sql odoo mitigation`), its text, and where it is."""

    kind: str
    text: str
    place: str


def check(root: Path) -> list[str]:
    """Everything that is wrong with the runbooks, by itself or against the rules."""
    alerts: dict[str, dict[str, set[str]]] = {}
    for rule in rules(root):
        if rule.alert:
            labels = alerts.setdefault(rule.name, {key: set() for key in FROM_RULE})
            for key in FROM_RULE:
                labels[key].add(str(rule.body.get("labels", {}).get(key)))
    books = {path.stem: path for path in sorted((root / FOLDER).glob("*.md"))}
    problems = [f"alert {name} has no runbook {FOLDER / name}.md" for name in sorted(alerts.keys() - books.keys())]
    problems += [f"{FOLDER / name}.md belongs to no alert" for name in sorted(books.keys() - alerts.keys())]
    reasons = _declared_reasons(root)
    for name in sorted(alerts.keys() & books.keys()):
        text = books[name].read_text(encoding="utf-8")
        place = str(books[name].relative_to(root))
        problems += _front_matter(place, name, text, alerts)
        problems += _body(place, name, text)
        problems += _commands(place, text)
        problems += _reasons(place, text, reasons)
    return problems


def blocks(text: str, place: str = "") -> list[Block]:
    """The fenced blocks of a runbook."""
    return [
        Block(found[1].strip(), found[2], f"{place}:{text.count(chr(10), 0, found.start()) + 1}")
        for found in _FENCE.finditer(text)
    ]


def front_matter(text: str) -> dict[str, Any]:
    """The front matter, or nothing where there is none."""
    found = re.match(r"---\n(.*?)^---\n", text, re.MULTILINE | re.DOTALL)
    parsed = yaml.safe_load(found[1]) if found else None
    return parsed if isinstance(parsed, dict) else {}


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _front_matter(place: str, name: str, text: str, alerts: dict[str, dict[str, set[str]]]) -> Iterator[str]:
    front = front_matter(text)
    if set(front) != KEYS:
        yield f"{place}: front matter lacks {sorted(KEYS - set(front))}, has too many {sorted(set(front) - KEYS)}"
        return
    if front["alert"] != name:
        yield f"{place}: alert is {front['alert']!r}, and the file's name {name!r}"
    for key in FROM_RULE:
        if set(_many(front[key])) != alerts[name][key]:
            yield f"{place}: {key} is {front[key]!r}, and {sorted(alerts[name][key])} in the rules"
    if not front["process"] or set(_many(front["process"])) - PROCESSES:
        yield f"{place}: process is {front['process']!r}; allowed: {sorted(PROCESSES)}"
    if front["owner"] not in OWNERS:
        yield f"{place}: owner is {front['owner']!r}; a role is meant: {sorted(OWNERS)}"
    for key in ("escalation", "evidence"):
        if not front[key] or not all(isinstance(line, str) and line.strip() for line in _many(front[key])):
            yield f"{place}: {key} needs a list of sentences"
    yield from _related(place, name, front["related"], set(alerts))


def _related(place: str, name: str, related: Any, alerts: set[str]) -> Iterator[str]:
    if not isinstance(related, dict) or set(related) != {"causes", "symptoms"}:
        yield f"{place}: related needs the lists causes and symptoms"
        return
    for kind, named in related.items():
        for other in named:
            if other not in alerts or other == name:
                yield f"{place}: related.{kind} names {other}, which is no other alert"


def _body(place: str, name: str, text: str) -> Iterator[str]:
    prose = _FENCE.sub("", text)
    if re.findall(r"^# (.+)$", prose, re.MULTILINE) != [name]:
        yield f"{place}: its title is not {name}"
    parts = re.split(r"^## (.+)$\n", prose, flags=re.MULTILINE)
    if parts[1::2] != SECTIONS:
        yield f"{place}: its sections are {parts[1::2]}, not {SECTIONS}"
        return
    sections = dict(zip(SECTIONS, parts[2::2], strict=True))
    for title, section in sections.items():
        if len(section.split()) < 15:
            yield f"{place}: section {title} says next to nothing"
    if not re.search(r"^1\. ", sections["Mitigation"], re.MULTILINE):
        yield f"{place}: Mitigation has no numbered steps"
    for promise, pattern in PROMISES.items():
        if not re.search(pattern, sections["Mitigation"]):
            yield f"{place}: Mitigation doesn't say: {promise}"
    if not 40 <= text.count("\n") <= 100:
        yield f"{place}: {text.count(chr(10))} lines; 40 to 100 are read at night"


def _declared_reasons(root: Path) -> set[str]:
    """The closed set of reasons, as the code declares it."""
    module = ast.parse((root / REASONS).read_text(encoding="utf-8"))
    enums = [node for node in module.body if isinstance(node, ast.ClassDef) and node.name == "Reason"]
    return {
        str(node.value.value)
        for node in enums[0].body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }


def _reasons(place: str, text: str, reasons: set[str]) -> Iterator[str]:
    """A table of reasons names only those that there are."""
    for table in re.findall(r"^\| reason \|.*\n\|[ -|]+\n((?:\|.*\n)+)", text, re.MULTILINE):
        for cell in re.findall(r"^\| (.*?) \|", table, re.MULTILINE):
            for reason in re.findall(r"`(\w+)`", cell):
                if reason not in reasons:
                    yield f"{place}: explains the reason {reason}, which {REASONS} doesn't have"


def _commands(place: str, text: str) -> Iterator[str]:
    found = blocks(text, place)
    diagnosis = text.partition("## Diagnosis")[2].partition("## Mitigation")[0]
    if len(blocks(diagnosis)) < 2:
        yield f"{place}: Diagnosis needs commands to paste"
    if text.count("```") != 2 * len(found):
        yield f"{place}: a fenced block is not closed"
    for block in found:
        if block.kind not in FENCES:
            yield f"{block.place}: a block of {block.kind!r}; allowed: {sorted(FENCES)}"
        if "mitigation" in block.kind and block.text in diagnosis:
            yield f"{block.place}: a change of the system stands in Diagnosis"
        for query in _QUERY.findall(block.text):
            try:
                uses(query, block.place)
            except ValueError as error:
                yield f"{block.place}: {query} is not PromQL: {error}"
