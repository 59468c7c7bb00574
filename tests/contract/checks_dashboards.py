"""Dashboards: written by the code beside them, whole, readable, and in step with the alerts that they lead to.

`check(root)` gives one sentence for each thing that is wrong in a tree; an empty list means that all is well. Which
metrics the queries may use is checked with the rules', in checks_metrics.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.contract.tree import rules
from tests.dashboards.queries import filled, other_queries, panel_queries, panels

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
CHAIN = ["datasource", "environment", "cell", "tenant", "target"]
MAX_BYTES = 2**20  # of a ConfigMap
_RUNBOOK = re.compile(r"\$\{runbooks\}/(\w+)")
_VARIABLE = re.compile(r"\$\{?([a-z]\w*)")
# The SDK's type of an annotation lacks what Prometheus' annotations say of their text.
_ANNOTATION_EXTRAS = ("titleFormat", "textFormat", "tagKeys")


def check(root: Path) -> list[str]:
    """Everything that is wrong with dashboards/*.json."""
    problems = drift(root)
    dashboards: dict[str, dict[str, Any]] = {}
    for path in sorted((root / "dashboards").glob("*.json")):
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        found = [*_whole(path, dashboard), *_lints(dashboard), *_queries(dashboard), *_links(root, dashboard)]
        problems += [f"dashboards/{path.name}: {problem}" for problem in found]
        if dashboards.setdefault(dashboard.get("uid", ""), dashboard) is not dashboard:
            problems.append(f"dashboards/{path.name}: has the uid of another dashboard")
    return [*problems, *_alerts(root, dashboards)]


def drift(root: Path) -> list[str]:
    """Whether the JSON is what the code of the same tree writes."""
    command = [sys.executable, "-m", "dashboards.build", "--check"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return [f"dashboards: {line}" for line in done.stderr.splitlines()] if done.returncode else []


def _whole(path: Path, dashboard: dict[str, Any]) -> Iterator[str]:
    """The frame: names, size, and that the types of Grafana's own SDK know every key."""
    uid, title = dashboard.get("uid") or "", dashboard.get("title") or ""
    if uid != path.stem or len(uid) > 40:
        yield f"its uid is {uid!r}; expected the file's name, at most 40 characters"
    if title.replace(" ", "-").lower() != path.stem:
        yield f"its title is {title!r}; expected the words of the file's name"
    if path.stat().st_size >= MAX_BYTES:
        yield "is too large for a ConfigMap"
    if "id" in dashboard or "__inputs" in dashboard or dashboard.get("editable") is not False:
        yield "carries id, __inputs or editable: it could not be provisioned as it is"
    if "closewatch" not in dashboard.get("tags", ()):
        yield "lacks the tag closewatch, by which dashboards link to each other"
    plain = json.loads(json.dumps(dashboard))
    for annotation in plain["annotations"]["list"]:
        for key in _ANNOTATION_EXTRAS:
            annotation.pop(key, None)
    register_default_plugins()  # so that the options of each kind of panel are typed too
    again = json.loads(json.dumps(Dashboard.from_json(plain), cls=JSONEncoder))
    for key in sorted(set(plain) | set(again)):
        if plain.get(key) != again.get(key):
            yield f"{key}: not what the SDK's types make of it"


def _lints(dashboard: dict[str, Any]) -> Iterator[str]:
    """What makes it readable: for everybody, in every panel."""
    variables = [variable["name"] for variable in dashboard["templating"]["list"]]
    if variables[: len(CHAIN)] != CHAIN:
        yield f"its variables are {variables}; expected {CHAIN} first"
    sources = [each for each in dashboard["templating"]["list"] if each["type"] == "query"]
    for item in [*sources, *dashboard["annotations"]["list"]]:
        if item.get("datasource") != DATASOURCE:
            yield f"{item['name']}: asks another data source than the chosen one"
    everything = [*dashboard["panels"], *(inner for row in dashboard["panels"] for inner in row.get("panels") or ())]
    identities = [panel.get("id") for panel in everything]
    if len(set(identities)) < len(identities) or not all(identities):
        yield "panels share an id, or lack one"
    titles = [panel["title"] for panel in panels(dashboard)]
    for title in sorted({title for title in titles if titles.count(title) > 1}):
        yield f"two panels are called {title!r}"
    for panel in panels(dashboard):
        for problem in _panel(panel):
            yield f"{panel.get('title')!r}: {problem}"
    yield from _overlaps(everything)


def _panel(panel: dict[str, Any]) -> Iterator[str]:
    defaults = panel["fieldConfig"]["defaults"]
    if not panel.get("title"):
        yield "has no title"
    if not re.search(r"\w{3}.*[.:`]$", panel.get("description") or ""):
        yield "needs a description in a sentence"
    if not defaults.get("unit"):
        yield "has no unit"
    if panel.get("options") is None:
        yield "has no options"
    if panel["type"] == "timeseries" and not panel["options"].get("legend", {}).get("showLegend"):
        yield "shows no legend"
    yield from _targets(panel)


def _targets(panel: dict[str, Any]) -> Iterator[str]:
    refs = [target["refId"] for target in panel["targets"]]
    if not refs or len(set(refs)) < len(refs):
        yield "has no query, or two with one refId"
    if any(item.get("datasource") != DATASOURCE for item in (panel, *panel["targets"])):
        yield "asks another data source than the chosen one"
    for target in panel["targets"]:
        if panel["type"] != "table" and not target.get("legendFormat"):
            yield f"query {target['refId']} has no legend"
        if panel["type"] in {"table", "stat"} and not target.get("instant"):
            yield f"query {target['refId']} asks for a range and shows one value"
        # What is asked every five minutes needs the rate of three answers, however near one looks.
        if re.search(r"\b(?:rate|irate|increase)\([^\[]*\[(?!\$__rate_interval\]|15m\])", target["expr"]):
            yield f"query {target['refId']} takes a rate over something else than $__rate_interval"


def _overlaps(everything: list[dict[str, Any]]) -> Iterator[str]:
    places = [(panel["title"], panel["gridPos"]) for panel in everything]
    for title, place in places:
        if place["x"] + place["w"] > 24:
            yield f"{title!r} is wider than the page"
    for (one, a), (other, b) in itertools.combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        if not (beside or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]):
            yield f"{one!r} and {other!r} overlap"


def _queries(dashboard: dict[str, Any]) -> Iterator[str]:
    """That each is PromQL, and uses variables that exist."""
    known = {variable["name"] for variable in dashboard["templating"]["list"]}
    if unknown := sorted(set(_VARIABLE.findall(json.dumps(dashboard))) - known):
        yield f"uses the variable {', '.join(unknown)}, which it doesn't have"
        return
    for place, expr in [*panel_queries(dashboard), *other_queries(dashboard)]:
        try:
            promql_parser.parse(filled(expr))
        except ValueError as error:
            yield f"{place!r}: not PromQL: {error}"


def _links(root: Path, dashboard: dict[str, Any]) -> Iterator[str]:
    """That its runbooks are those of alerts that exist, below the address that the rules give."""
    alerts = {rule.name: rule.body["annotations"].get("runbook_url", "") for rule in rules(root) if rule.alert}
    bases = [each["query"] for each in dashboard["templating"]["list"] if each["name"] == "runbooks"]
    for panel in panels(dashboard):
        for name in _runbooks(panel):
            if name not in alerts:
                yield f"{panel['title']!r}: leads to a runbook of {name}, an alert that doesn't exist"
    for name, url in sorted(alerts.items()):
        if bases and url != f"{bases[0]}/{name}":
            yield f"its runbooks are at {bases[0]}, but the one of {name} is at {url}"


def _runbooks(panel: dict[str, Any]) -> set[str]:
    """The alerts whose runbooks a panel leads to."""
    return set(_RUNBOOK.findall(json.dumps([panel.get("links"), panel["fieldConfig"]["defaults"].get("links")])))


def _alerts(root: Path, dashboards: dict[str, dict[str, Any]]) -> Iterator[str]:
    """That every alert leads to a dashboard that exists, and a panel somewhere leads back to its runbook."""
    linked = {name for dashboard in dashboards.values() for panel in panels(dashboard) for name in _runbooks(panel)}
    for rule in rules(root):
        if not rule.alert:
            continue
        if rule.name not in linked:
            yield f"dashboards: no panel leads to the runbook of {rule.name}: show what it watches"
        url = rule.body["annotations"].get("dashboard_url", "")
        found = re.search(r"/d/([\w-]+)", url)
        if found is None or found[1] not in dashboards:
            yield f"{rule.place}: its dashboard_url leads to no dashboard of ours"
            continue
        variables = {variable["name"] for variable in dashboards[found[1]]["templating"]["list"]}
        for name in sorted(set(re.findall(r"var-(\w+)=", url)) - variables):
            yield f"{rule.place}: its dashboard_url sets {name}, which {found[1]} doesn't have"
