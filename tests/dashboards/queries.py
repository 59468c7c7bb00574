"""The PromQL of a dashboard as Grafana would send it with everything chosen, to be run against a real Prometheus.

panel_queries(dashboard) gives (panel's title, query); needs_data names the panels of which at least one query must
answer on any healthy installation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

NO_DATA = "No data"
_UP = re.compile(r"max by \([\w, ]+\) \(closewatch_target_up\{")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All panels but rows, those of collapsed rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def filled(text: str, *, rate_interval: str = "1m", span: str = "1h") -> str:
    """The text with its variables filled in: everything is chosen. Raises KeyError for a variable that nobody gives."""
    values = {"__rate_interval": rate_interval, "__range": span, "__interval": "15s"}
    values |= dict.fromkeys(("environment", "cell", "tenant", "target", "server"), ".*")
    return _VARIABLE.sub(lambda found: values[found[1] or found[2]], text)


def panel_queries(
    dashboard: Mapping[str, Any], *, rate_interval: str = "1m", span: str = "1h"
) -> list[tuple[str, str]]:
    """(panel's title, query) of each query of each panel."""
    return [
        (panel["title"], filled(target["expr"], rate_interval=rate_interval, span=span))
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]


def other_queries(dashboard: Mapping[str, Any], *, span: str = "1h") -> list[tuple[str, str]]:
    """(name, query) of annotations, and of variables that ask a query; `label_values` is given as its selector."""
    found = [(each["name"], filled(each["expr"], span=span)) for each in dashboard["annotations"]["list"]]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            inner = re.fullmatch(r"(?:label_values|query_result)\((.*?)(?:,\s*\w+)?\)", variable["query"])
            if inner is None:
                raise ValueError(f"variable {variable['name']}: {variable['query']}")
            found.append((variable["name"], filled(inner[1], span=span)))
    return found


def needs_data(dashboard: Mapping[str, Any]) -> set[str]:
    """Titles of panels that are never empty: those that don't say what it means when they are, and lists of targets."""
    titles = set()
    for panel in panels(dashboard):
        targets = panel["type"] == "table" and _UP.match(panel["targets"][0]["expr"])
        if targets or panel["fieldConfig"]["defaults"].get("noValue", NO_DATA) == NO_DATA:
            titles.add(panel["title"])
    return titles
