"""Markdown tables that people can read in an editor too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table, with an empty one after it."""
    yield _row(head)
    yield _row(["---"] * len(head))
    for row in rows:
        yield _row([cell(text) for text in row])
    yield ""


def cell(text: str) -> str:
    """Text for a cell: on one line, with bars that don't end it, and angle brackets that aren't taken for markup."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
