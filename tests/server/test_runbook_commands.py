"""The runbooks' questions to Prometheus, run by the shell as an operator pastes them, against a real Prometheus."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.contract.checks_runbooks import FOLDER, blocks
from tests.fixtures.servers import missing

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("bash", "curl", "jq")
# A command begins at the line's start; what is indented belongs to it.
_COMMAND = re.compile(r"^curl .*?$(?:\n[ \t].*$)*", re.MULTILINE)
COMMANDS = [
    (block.place, command)
    for path in sorted((ROOT / FOLDER).glob("*.md"))
    for block in blocks(path.read_text(encoding="utf-8"), path.stem)
    if block.kind == "sh"
    for command in _COMMAND.findall(block.text)
    if "$PROMETHEUS/api" in command
]


def test_every_runbook_that_asks_prometheus_says_where_it_is() -> None:
    for path in sorted((ROOT / FOLDER).glob("*.md")):
        text = path.read_text(encoding="utf-8")
        for name in ("PROMETHEUS", "ALERTMANAGER"):
            if f"${name}" in text:
                assert f"\n{name}=http" in text[: text.index(f"${name}")], path.name


def test_prometheus_understands_every_question(prometheus, pytestconfig) -> None:
    for tool in TOOLS:
        if not shutil.which(tool):
            missing(pytestconfig, f"{tool} is not on PATH")
    server = prometheus("scrape_configs: []\n")
    assert len(COMMANDS) > 60
    environment = {"PROMETHEUS": server.url, "PATH": os.environ["PATH"], "NO_PROXY": "*"}
    for place, command in COMMANDS:
        strict = f"set -euo pipefail\n{command.replace('curl ', 'curl --fail-with-body ', 1)}"
        done = subprocess.run(
            ["bash", "-c", strict], env=environment, capture_output=True, text=True, timeout=30, check=False
        )
        # grep that finds nothing in an empty Prometheus is no fault of the command.
        assert done.returncode == 0 or ("grep" in command and done.returncode == 1), f"{place}: {command}\n{done}"
