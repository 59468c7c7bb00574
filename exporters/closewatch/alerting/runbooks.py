"""Runbooks as plain HTML pages: for networks that can't reach the public ones, and for nights when nothing else works.

Each alert has a folder of its own, so that `<base>/<AlertName>` works on any web server, and from a disk through the
index. No script, no font, nothing from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt

from closewatch.alerting.rules import load
from closewatch.resources import find_data

_FRONT = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
_PAGE_LINK = re.compile(r'href="([A-Za-z0-9]+)\.md(#[^"]*)?"')
_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.55 system-ui, sans-serif; max-width: 50rem; margin: 0 auto; padding: 1rem; }
p, li, td { overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: .75rem; background: #8882; border-radius: 4px; }
code { font: .9em/1.4 ui-monospace, monospace; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8884; }
.critical { color: #c62828; font-weight: 600; }
@media (prefers-color-scheme: dark) { .critical { color: #ff8a80; } }
@media print { nav { display: none; } }
"""


@dataclass(frozen=True, slots=True)
class Runbook:
    """A runbook: its front matter, and its text in Markdown."""

    name: str
    about: Mapping[str, Any]
    text: str


def build_runbooks(folder: Path) -> list[Path]:
    """Write the pages and their index to a folder and tell their paths. Raises ValueError for a broken runbook."""
    runbooks = [_read(path) for path in sorted(find_data("alerting/runbooks").glob("*.md"))]
    known = {runbook.name for runbook in runbooks}
    pages = {folder / "index.html": _index(runbooks)}
    for runbook in runbooks:
        pages[folder / runbook.name / "index.html"] = _page(runbook, known)
    for path, page in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    return list(pages)


def _read(path: Path) -> Runbook:
    found = _FRONT.match(path.read_text(encoding="utf-8"))
    about = yaml.safe_load(found[1]) if found else None
    if found is None or not isinstance(about, dict):
        raise ValueError(f"{path.name}: begins with no front matter between two lines of ---")
    return Runbook(path.stem, about, found[2])


def _page(runbook: Runbook, known: set[str]) -> str:
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(runbook.text)
    body = _PAGE_LINK.sub(lambda link: f'href="../{link[1]}/index.html{link[2] or ""}"', body)
    heading, _, rest = body.partition("</h1>")
    parts = (heading, "</h1>", _about(runbook.about, known), rest) if rest else (_about(runbook.about, known), body)
    return _html(runbook.name, '<nav><a href="../index.html">All runbooks</a></nav>\n' + "".join(parts))


def _about(about: Mapping[str, Any], known: set[str]) -> str:
    """The front matter as a table, but for the name of the alert, which is the title."""
    rows = ""
    for key, value in about.items():
        if key == "alert":
            continue
        nested = value if isinstance(value, dict) else {key: value}
        for name, item in nested.items():
            rows += f"<tr><th>{escape(str(name))}</th><td>{_value(item, known)}</td></tr>\n"
    return f"\n<table>\n{rows}</table>\n"


def _value(value: object, known: set[str]) -> str:
    items = value if isinstance(value, list) else [value]
    words = [_word(str(item), known) for item in items]
    return "<br>".join(words) if any(" " in str(item) for item in items) else ", ".join(words)


def _word(word: str, known: set[str]) -> str:
    if word in known:
        return f'<a href="../{word}/index.html">{word}</a>'
    return '<span class="critical">critical</span>' if word == "critical" else escape(word)


def _index(runbooks: Iterable[Runbook]) -> str:
    summaries = _summaries()
    layers: dict[str, list[Runbook]] = {}
    for runbook in runbooks:
        layers.setdefault(str(runbook.about.get("layer", "other")), []).append(runbook)
    body = "<h1>Runbooks</h1>\n<p>One page for each alert; the name of the alert is the name of its page.</p>\n"
    for layer, members in sorted(layers.items()):
        body += f"<h2>{escape(layer.capitalize())}</h2>\n<table>\n"
        for runbook in members:
            severity = _value(runbook.about.get("severity", ""), set())
            link = f'<a href="{runbook.name}/index.html">{runbook.name}</a>'
            body += f"<tr><td>{link}</td><td>{severity}</td><td>{escape(summaries.get(runbook.name, ''))}</td></tr>\n"
        body += "</table>\n"
    return _html("Runbooks", body)


def _summaries() -> dict[str, str]:
    """What each alert says in a line; of two severities, what the critical one says."""
    rules = [rule for file in load().values() for group in file["groups"] for rule in group["rules"] if "alert" in rule]
    rules.sort(key=lambda rule: rule["labels"]["severity"] == "critical")
    return {rule["alert"]: rule["annotations"]["summary"] for rule in rules}


def _html(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title)} - closewatch</title>\n"
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style>\n</head>\n'
        f"<body>\n{body}</body>\n</html>\n"
    )
