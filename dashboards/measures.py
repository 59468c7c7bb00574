"""Queries over the metrics of one concern, the same way everywhere: by target, whichever closewatch process saw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.parts import CLEAR, RED, TARGET, Column, Panel, only, query, table

NAME = "{{environment}} {{target}}"
YES_IS_GOOD = {"0": ("no", RED), "1": ("yes", CLEAR)}


@dataclass(frozen=True)
class Measures:
    """The metrics of a kind of target, of those in `scope`. `info` is the metric that carries the version."""

    kind: str
    info: str
    scope: str

    def up(self) -> str:
        """1 where a target answers."""
        return f'max by ({TARGET}) (closewatch_target_up{{kind="{self.kind}",{self.scope}}})'

    def worst(self, metric: str, *labels: str, matchers: str = "") -> str:
        """The highest value by target and the given labels."""
        more = f",{matchers}" if matchers else ""
        return f"max by ({_key(labels)}) ({metric}{{{self.scope}{more}}})"

    def age(self, metric: str, *labels: str, matchers: str = "") -> str:
        """Seconds since a time; never below 0: clocks differ, and what is due later is not late."""
        return f"clamp_min(time() - {self.worst(metric, *labels, matchers=matchers)}, 0)"

    def rate(self, metric: str, *labels: str) -> str:
        """Events a second by target and the given labels."""
        return f"max by ({_key(labels)}) (rate({metric}{{{self.scope}}}[$__rate_interval]))"


def line_per_target(
    title: str, description: str, measures: Measures, columns: Sequence[tuple[str, Column]], *, noun: str, none: str
) -> Panel:
    """A table with a line a target: whether it answers, a figure a column, then where it is and its version."""
    answers = Column("", "Answers", texts=YES_IS_GOOD, solid=True, width=80)
    rows = [(measures.up(), answers), *columns, (measures.worst(measures.info, "version"), Column("", ""))]
    refs = [chr(ord("A") + index) for index in range(len(rows))]
    figures = [column.of(f"Value #{ref}") for ref, (_, column) in zip(refs, rows, strict=True)]
    return table(
        title,
        description,
        [query(expr, ref=ref, table=True) for ref, (expr, _) in zip(refs, rows, strict=True)],
        [
            Column("target", noun, link=only(f"Only this {noun.lower()}")),
            *figures[:-1],
            Column("tenant", "Tenant"),
            Column("cell", "Cell"),
            Column("environment", "Environment"),
            Column("version", "Version", width=80),
        ],
        hidden=(figures[-1].source,),
        none=none,
        sort=("Answers", False),
    )


def _key(labels: Sequence[str]) -> str:
    return ", ".join((TARGET, *labels))
