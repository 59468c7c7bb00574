"""All contract checks by name. Each takes the root of a tree and gives a sentence for each thing that is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.contract import checks_dashboards, checks_metrics, checks_rules, checks_runbooks


def references(root: Path) -> list[str]:
    """What of docs/reference isn't fresh, as the tree's own generator says, in a process that imports that tree."""
    environment = {**os.environ, "PYTHONPATH": str(root / "exporters")}
    command = [sys.executable, "-m", "tools.reference", "--check"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=60, check=False)
    said = done.stderr.splitlines()
    return said if done.returncode else []


# The slowest last: who asks only whether something is wrong gets the answer sooner.
CHECKS: Mapping[str, Callable[[Path], list[str]]] = {
    "metrics": checks_metrics.check,
    "runbooks": checks_runbooks.check,
    "dashboards": checks_dashboards.check,
    "references": references,
    "rules": checks_rules.check,
}
