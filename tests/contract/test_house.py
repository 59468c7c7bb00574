"""The rules of the house that no linter knows: sizes, nothing left for later, and links that lead somewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("exporters", "tests", "tools", "bench", "dashboards")
LONGEST_MODULE = 300
LONGEST_FUNCTION = 50
# Put together here, so that this file has none of them.
LEFT_FOR_LATER = re.compile(
    "|".join(a + b for a, b in (("TO", "DO"), ("FIX", "ME"), ("X", "XX"), ("NotImplemented", "Error")))
)
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)(?:#[^)]*)?\)")


def modules() -> Iterator[tuple[str, str]]:
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def test_no_module_is_too_long_to_read() -> None:
    assert {name: lines for name, text in modules() if (lines := text.count("\n")) > LONGEST_MODULE} == {}


def test_no_function_is_too_long_to_read() -> None:
    long = {}
    for name, text in modules():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    long[f"{name}:{node.name}"] = lines
    assert long == {}


def test_every_module_says_what_it_is_for() -> None:
    assert [name for name, text in modules() if not ast.get_docstring(ast.parse(text))] == []


def test_nothing_is_left_for_later() -> None:
    assert [name for name, text in modules() if LEFT_FOR_LATER.search(text)] == []


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "alerting").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert broken == []
