"""Takes the README's picture: the demo's live view at the moment when a page has arrived, as SVG.

python -m tools.picture [SCENARIO]
"""

from __future__ import annotations

import io
import re
import sys
import threading
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from closewatch.demo.play import Play, Step
from closewatch.demo.scenarios import find_scenario
from closewatch.demo.screen import render
from closewatch.demo.snapshot import take
from closewatch.demo.stack import Stack
from closewatch.engines.process import wait_until

FILE = Path(__file__).resolve().parent.parent / "docs" / "images" / "demo.svg"
WIDTH, HEIGHT = 118, 52
_RED, _GREEN, _YELLOW, _BLUE, _MAGENTA, _CYAN = (
    (239, 83, 80),
    (129, 199, 132),
    (255, 202, 40),
    (66, 165, 245),
    (186, 104, 200),
    (77, 208, 225),
)
_DARK, _LIGHT = (16, 20, 24), (220, 223, 228)
THEME = TerminalTheme(_DARK, _LIGHT, [(60, 66, 74), _RED, _GREEN, _YELLOW, _BLUE, _MAGENTA, _CYAN, _LIGHT])


def main() -> int:
    """The command."""
    scenario = find_scenario(sys.argv[1] if len(sys.argv) > 1 else "replication-link-cut")
    steps: list[Step] = []
    with Stack(scenario.lowered) as stack:
        stack.start(print)
        stack.wait_healthy()
        playing = threading.Thread(target=Play(stack, scenario, steps.append).run, daemon=True)
        playing.start()
        wait_until(lambda: any("page" in step.text for step in steps[1:]), 120, "somebody is paged", interval=0.2)
        console = Console(record=True, width=WIDTH, height=HEIGHT, file=io.StringIO(), force_terminal=True)
        addresses = [
            ("page for people", stack.watcher.url),
            ("Prometheus", f"{stack.prometheus.url}/alerts"),
            ("Alertmanager", f"{stack.alertmanager.url}/#/alerts"),
        ]
        console.print(render(take(stack), addresses, steps, "Ctrl-C ends the demo and takes everything away.", HEIGHT))
        playing.join(timeout=180)
    svg = console.export_svg(title=f"make demo SCENARIO={scenario.name}", theme=THEME)
    # A page that shows the picture must not fetch a font from elsewhere.
    FILE.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), encoding="utf-8")
    print(f"written: {FILE.relative_to(FILE.parents[2])}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
