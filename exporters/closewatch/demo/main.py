"""Runs the demo: on a terminal as a live view, elsewhere as lines; alone or with a fault; and always to a clean end."""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import FrameType

import psycopg
from rich.console import Console, RenderableType
from rich.live import Live

from closewatch.demo.plain import PlainView
from closewatch.demo.play import Play, Step
from closewatch.demo.scenarios import SCENARIOS, find_scenario
from closewatch.demo.scenarios.scenario import Scenario
from closewatch.demo.screen import render
from closewatch.demo.snapshot import Snapshot, take
from closewatch.demo.stack import Stack
from closewatch.engines.process import EngineError

_REFRESH = 1.0
_BEGINNING = 5.0
"""Seconds in which a person sees the healthy stack before it is harmed."""


def run(scenario_name: str | None, *, exit_when_done: bool) -> int:
    """The demo; gives the exit code. See `closewatch.demo.run_demo`."""
    try:
        scenario = find_scenario(scenario_name) if scenario_name else None
    except EngineError as error:
        _complain(error)
        return 2
    console = Console()
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        with Stack([limit for one in SCENARIOS for limit in one.lowered]) as stack:
            began = time.monotonic()
            stack.start(_say)
            if console.is_terminal and not exit_when_done:
                return _Attended(stack, scenario, console).run()
            for name, url in _addresses(stack):
                _say(f"  {name:<22}{url}")
            stack.wait_healthy()
            _say(f"all is well after {time.monotonic() - began:.0f} s")
            if scenario:
                return _unattended(stack, scenario)
            return 0 if exit_when_done else _watch_lines(stack)
    except (EngineError, OSError, psycopg.Error) as error:
        _complain(error)
        return 1
    except KeyboardInterrupt:
        return 130 if exit_when_done else 0


def _unattended(stack: Stack, scenario: Scenario) -> int:
    """The scenario as lines, with the verdict as exit code."""
    view = PlainView(_say)
    reasons = Play(stack, scenario, view.step).run()
    _say(_verdict(scenario, reasons))
    return 1 if reasons else 0


def _watch_lines(stack: Stack) -> int:
    view = PlainView(_say)
    while True:
        view.show(take(stack))
        time.sleep(_REFRESH)


class _Attended:
    """The live view, with a scenario beside it where one was asked for. Ctrl-C ends it."""

    def __init__(self, stack: Stack, scenario: Scenario | None, console: Console) -> None:
        self.stack = stack
        self.scenario = scenario
        self.console = console
        self.steps: list[Step] = []
        faults = "" if scenario else " `closewatch demo --list` names faults to inject."
        self.ending = f"Ctrl-C ends the demo and takes everything away.{faults}"
        self.code = 0

    def run(self) -> int:
        """Show until Ctrl-C; gives the exit code."""
        if self.scenario:
            threading.Thread(target=self._play, args=(self.scenario,), name="scenario", daemon=True).start()
        try:
            with Live(console=self.console, screen=True, auto_refresh=False) as live:
                while True:
                    live.update(self._screen(take(self.stack)), refresh=True)
                    time.sleep(_REFRESH)
        except KeyboardInterrupt:
            for step in self.steps:
                PlainView(_say).step(step)
            _say("ending the demo")
        return self.code

    def _screen(self, snapshot: Snapshot) -> RenderableType:
        return render(snapshot, _addresses(self.stack), self.steps, self.ending, self.console.height)

    def _play(self, scenario: Scenario) -> None:
        try:
            self.stack.wait_healthy()
            time.sleep(_BEGINNING)
            reasons = Play(self.stack, scenario, self.steps.append).run()
            self.code = 1 if reasons else 0
            self.ending = f"{_verdict(scenario, reasons)} {self.ending}"
        except Exception as error:  # noqa: BLE001 - shown to the person who watches; the demo goes on
            self.code = 1
            self.ending = f"the scenario failed: {error}. {self.ending}"


def _addresses(stack: Stack) -> list[tuple[str, str]]:
    return [
        ("page for people", stack.watcher.url),
        ("Prometheus", f"{stack.prometheus.url}/alerts"),
        ("Alertmanager", f"{stack.alertmanager.url}/#/alerts"),
        ("runbooks", stack.runbooks.url),
    ]


def _verdict(scenario: Scenario, reasons: list[str]) -> str:
    if not reasons:
        return (
            f"{scenario.name}: passed. The right page came once, nothing unexpected came, all ended after the repair."
        )
    return "\n  ".join([f"{scenario.name}: FAILED", *reasons])


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM and a closed terminal end the demo as Ctrl-C does."""
    raise KeyboardInterrupt


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _complain(error: Exception) -> None:
    sys.stderr.write(f"closewatch demo: {error}\n")
