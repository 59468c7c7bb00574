"""The demo: a real stack on one machine, watched by closewatch, with faults to inject.

Its packages are the extra `demo`, and are imported only when the demo is asked for.
"""

from __future__ import annotations

import sys


def list_scenarios() -> list[str]:
    """The names of the scenarios. Raises SystemExit where the demo's packages are missing."""
    try:
        from closewatch.demo.scenarios import SCENARIOS  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        raise SystemExit(_missing(error)) from error
    return [scenario.name for scenario in SCENARIOS]


def run_demo(scenario: str | None = None, *, exit_when_done: bool = False) -> int:
    """Run the demo, with a fault where `scenario` names one; gives the exit code.

    With `exit_when_done`, or without a terminal, a scenario is played unattended: 0 only when the right page came to
    the right receiver, nobody was told anything else, and it was called resolved after the repair.
    """
    try:
        from closewatch.demo.main import run  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        sys.stderr.write(_missing(error) + "\n")
        return 2
    return run(scenario, exit_when_done=exit_when_done)


def _missing(error: ModuleNotFoundError) -> str:
    if (error.name or "").startswith("closewatch"):
        raise error
    return f"closewatch demo: {error.name} is missing; install the demo's packages: pip install 'closewatch[demo]'"
