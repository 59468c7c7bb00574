"""The demo on a terminal: targets, what is wrong, which alerts fire, who was told what, the time line of a fault."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from closewatch.alerting.preview.routing import people
from closewatch.demo.delivery import Message
from closewatch.demo.play import Step
from closewatch.demo.snapshot import AlertState, Snapshot, TargetState

_COLOURS = {
    "up": "green",
    "down": "bold red",
    "unseen": "yellow",
    "firing": "bold red",
    "hidden": "magenta",
    "pending": "yellow",
}
_MESSAGES = 3
_LINES_OF_A_MESSAGE = 3
"""What a person reads first; the links below are in Alertmanager."""


def render(
    snapshot: Snapshot, addresses: Sequence[tuple[str, str]], steps: Sequence[Step], ending: str, height: int
) -> RenderableType:
    """The whole screen; `ending` is its last line. The time line is cut from the top to fit in `height` lines."""
    links = Table.grid(padding=(0, 2))
    for name, url in addresses:
        links.add_row(Text(name, style="bold"), Text(url, style="cyan"))
    parts: list[RenderableType] = [
        Panel(links, title="closewatch demo", border_style="blue"),
        _targets(snapshot.targets),
        _alerts(snapshot.alerts),
    ]
    if snapshot.trouble:
        parts.append(Text(snapshot.trouble, style="yellow"))
    if steps:
        parts.append(_time_line(steps, max(6, height - 24 - len(snapshot.targets) - len(snapshot.alerts))))
    else:
        parts.append(_messages(snapshot.told[-_MESSAGES:]))
    parts.append(Text(ending, style="dim"))
    return Group(*parts)


def _targets(targets: Sequence[TargetState]) -> Table:
    table = Table(title="What is watched", title_justify="left", expand=True)
    for name in ("cell", "target", "kind", "tenant", "state", "what is wrong"):
        table.add_column(name)
    for each in targets:
        state = Text(each.state, style=_COLOURS[each.state])
        wrong = Text(", ".join(each.wrong))
        table.add_row(Text(each.cell), Text(each.name), Text(each.kind), Text(each.tenant or "shared"), state, wrong)
    return table


def _alerts(alerts: Sequence[AlertState]) -> Table:
    table = Table(title="Alerts", title_justify="left", expand=True)
    for name in ("state", "severity", "alert", "of", "summary"):
        table.add_column(name)
    for each in alerts:
        state = Text(each.state, style=_COLOURS.get(each.state, ""))
        table.add_row(state, Text(each.severity), Text(each.name), Text(each.where), Text(each.summary))
    if not alerts:
        table.add_row(Text("none", style="green"), "", "", "", "")
    return table


def _messages(messages: Sequence[Message]) -> Panel:
    lines = Text()
    for each in messages:
        lines.append(f"{time.strftime('%H:%M:%S', time.localtime(each.at))} to {people(each.receiver)}\n", style="bold")
        lines.append("\n".join([each.title, *each.text.splitlines()[:_LINES_OF_A_MESSAGE]]) + "\n")
    return Panel(lines if messages else Text("nobody was told anything yet"), title="Who was told what")


def _time_line(steps: Sequence[Step], room: int) -> Panel:
    lines: list[Text] = []
    for step in steps:
        first, *rest = step.text.splitlines()
        lines.append(Text.assemble((f"{step.after:6.1f} s  ", "cyan"), (first, "bold")))
        lines += [Text(f"          {line}", style="dim") for line in rest[:_LINES_OF_A_MESSAGE]]
    return Panel(Group(*lines[-room:]), title="Time line")
