"""Programs that the benchmarks run beside closewatch: on PATH, where `make` puts its own folder last."""

from __future__ import annotations

import re
import shutil
import subprocess


def program(name: str) -> str:
    """The program's path. Raises FileNotFoundError saying how to get it."""
    if path := shutil.which(name):
        return path
    raise FileNotFoundError(f"{name} is not on PATH: run `make bench`, which brings it")


def version(name: str) -> str:
    """The version that the program says."""
    said = subprocess.run([program(name), "--version"], capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r"version (\S+?)[,\s]", said.stdout + said.stderr)
    return found[1] if found else "(a build that does not tell its version)"
