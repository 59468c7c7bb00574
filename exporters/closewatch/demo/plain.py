"""The demo without a terminal: a line for each thing that changes."""

from __future__ import annotations

import time
from collections.abc import Callable

from closewatch.alerting.preview.routing import people
from closewatch.demo.play import Step
from closewatch.demo.snapshot import Snapshot

Write = Callable[[str], None]


class PlainView:
    """Writes lines; gives each change once."""

    def __init__(self, write: Write) -> None:
        self.write = write
        self._seen: dict[str, str] = {}
        self._told = 0

    def step(self, step: Step) -> None:
        """A step of a scenario's time line."""
        first, *rest = step.text.splitlines()
        self.write(f"{step.after:7.1f} s  {first}")
        for line in rest:
            self.write(f"           | {line}")

    def show(self, snapshot: Snapshot) -> None:
        """Write what has changed since the last snapshot."""
        now = {f"target {each.name}": " ".join((each.state, *each.wrong)) for each in snapshot.targets}
        now |= {f"alert {each.name} {each.severity} of {each.where}": each.state for each in snapshot.alerts}
        if snapshot.trouble:
            now = {**self._seen, "trouble": snapshot.trouble}
        for name, state in now.items():
            if self._seen.get(name) != state:
                self._line(f"{name}: {state}")
        for name in sorted(self._seen.keys() - now.keys()):
            self._line(f"{name}: over")
        self._seen = now
        for message in snapshot.told[self._told :]:
            self._line(f"to {people(message.receiver)}: {message.title}")
            for line in message.text.splitlines():
                self.write(f"           | {line}")
        self._told = len(snapshot.told)

    def _line(self, text: str) -> None:
        self.write(f"{time.strftime('%H:%M:%S')}   {text}")
