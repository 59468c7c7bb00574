"""Debian's Alertmanager, unpacked but not installed.

Debian takes the default templates out of the program and looks for them below /usr/share, where an unpacked package has
none. So a copy of the program is made that looks in its working folder instead; the templates come from beside the
program. Other builds, and an installed package, are run as they are.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from closewatch.engines.process import EngineError

_PLACE = Path("/usr/share/prometheus/alertmanager")
# The paths that go on (to the web pages) are other strings of the program.
_COMPILED_IN = re.compile(re.escape(str(_PLACE).encode()) + rb"(?!/)")
_FOLDER = "assets"


def runnable(program: Path, folder: Path) -> Path:
    """The program to run with `folder` as working folder. Raises EngineError where its templates are nowhere."""
    if (_PLACE / "default.tmpl").exists():
        return program
    content = program.read_bytes()
    if not _COMPILED_IN.search(content):
        return program
    templates = program.resolve().parents[1] / "share" / "prometheus" / "alertmanager"
    if not (templates / "default.tmpl").exists():
        raise EngineError(
            f"{program} needs {_PLACE / 'default.tmpl'}: install Debian's package prometheus-alertmanager"
        )
    shutil.copytree(templates, folder / _FOLDER, ignore=shutil.ignore_patterns("ui", "no-ui"), dirs_exist_ok=True)
    # Of the same length: many slashes are one.
    nearby = b"./".ljust(len(str(_PLACE)) - len(_FOLDER), b"/") + _FOLDER.encode()
    copy = folder / program.name
    copy.write_bytes(_COMPILED_IN.sub(nearby, content))
    copy.chmod(0o755)
    return copy
