"""What a person sees of the demo, on a terminal and without one."""

from __future__ import annotations

import io

from rich.console import Console

from closewatch.demo.delivery import Message
from closewatch.demo.plain import PlainView
from closewatch.demo.play import Step
from closewatch.demo.screen import render
from closewatch.demo.snapshot import AlertState, Snapshot, TargetState
from closewatch.demo.thresholds import Threshold

UP = TargetState("pg-07", "postgresql", "pg-07", "", "up", ())
DOWN = TargetState("pg-07", "postgresql", "pg-07", "", "down", ("refused",))
TENANT = TargetState("odoo_acme", "odoo", "pg-07", "acme", "up", ())
FIRING = AlertState("PostgresqlDown", "critical", "firing", "pg-07", "PostgreSQL can't serve")
HIDDEN = AlertState("OdooDatabaseUnavailable", "critical", "hidden", "acme", "An Odoo database is unavailable")
PAGE = Message(0.0, "closewatch-page", "CRITICAL pg-07: PostgreSQL can't serve", "Nobody can post.\nRefused.")


def screen(snapshot: Snapshot, steps: list[Step] | None = None) -> str:
    console = Console(file=io.StringIO(), width=120, height=60, force_terminal=False)
    console.print(render(snapshot, [("Prometheus", "http://127.0.0.1:1/alerts")], steps or [], "Ctrl-C ends it.", 60))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_screen_shows_targets_alerts_and_who_was_told_what():
    shown = screen(Snapshot(0.0, (DOWN, TENANT), (FIRING, HIDDEN), (PAGE,)))
    for text in ("refused", "shared", "acme", "firing", "hidden", "PostgresqlDown", "http://127.0.0.1:1/alerts"):
        assert text in shown
    assert "to platform on-call, paged (closewatch-page)" in shown
    assert "Nobody can post." in shown


def test_the_screen_shows_the_time_line_of_a_fault():
    shown = screen(
        Snapshot(0.0), [Step(0.0, "fault: gone"), Step(7.25, "to platform on-call: CRITICAL\nNobody can post.")]
    )
    assert "7.2 s  to platform on-call: CRITICAL" in shown
    assert "Nobody can post." in shown
    assert "none" in shown


def test_markup_in_a_name_is_shown_as_it_is():
    assert "[bold red]x" in screen(Snapshot(0.0, (TargetState("[bold red]x", "odoo", "c", "t", "up", ()),)))


def test_lines_say_each_change_once():
    lines: list[str] = []
    view = PlainView(lines.append)
    for snapshot in (
        Snapshot(0.0, (UP,)),
        Snapshot(1.0, (UP,)),
        Snapshot(2.0, (DOWN,), (FIRING,), (PAGE,)),
        Snapshot(3.0, trouble="Prometheus or Alertmanager can't be asked: timed out", told=(PAGE,)),
        Snapshot(4.0, (UP,), (), (PAGE,)),
    ):
        view.show(snapshot)
    assert [line[11:] if line[2] == ":" else line.strip() for line in lines] == [
        "target pg-07: up",
        "target pg-07: down refused",
        "alert PostgresqlDown critical of pg-07: firing",
        "to platform on-call, paged (closewatch-page): CRITICAL pg-07: PostgreSQL can't serve",
        "| Nobody can post.",
        "| Refused.",
        "trouble: Prometheus or Alertmanager can't be asked: timed out",
        "target pg-07: up",
        *sorted(["alert PostgresqlDown critical of pg-07: over", "trouble: over"]),
    ]


def test_a_threshold_has_exactly_the_labels_that_rules_match():
    """An empty label is none; a label too few or too many and the override would be ignored."""
    shared = Threshold("postgresql_wal_archive_waiting_seconds", "critical", 8, "production", "", "pg-07")
    assert shared.line() == (
        'closewatch_threshold{check="postgresql_wal_archive_waiting_seconds",severity="critical",'
        'environment="production",target="pg-07"} 8\n'
    )
