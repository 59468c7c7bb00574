"""Links in a restored data folder: none may lead out of the place of the test, where production may lie.

Tablespaces are such links, and `tablespace_map` makes PostgreSQL make them anew. Links to single files beside the data
(a certificate, a configuration file under /etc) are of no use here and are taken away.
"""

from __future__ import annotations

import os
from pathlib import Path

from closewatch.restores.scratch import Scratch
from closewatch.restores.why import Failed, Why

MAP = "tablespace_map"


def keep_inside(scratch: Scratch) -> None:
    """Raises Failed(cannot_test) where data lie outside."""
    inside = scratch.path.resolve()
    for place, folders, files in os.walk(scratch.data):
        for name in (*folders, *files):
            path = Path(place) / name
            if not path.is_symlink() or path.resolve().is_relative_to(inside):
                continue
            if path.parent == scratch.data and not path.is_dir():
                path.unlink()
                continue
            raise Failed(Why.CANNOT_TEST, "a part of the restored cluster lies outside of the place of the test")
    _no_map(scratch.data)


def _no_map(data: Path) -> None:
    """Take the map away where all of its tablespaces are here already."""
    path = data / MAP
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        oid = line.partition(" ")[0]
        if oid and not (oid.isdigit() and (data / "pg_tblspc" / oid).is_dir()):
            raise Failed(Why.CANNOT_TEST, "a tablespace of the restored cluster was not brought back")
    path.unlink()


def take_in(scratch: Scratch, link: Path, to: Path) -> Path:
    """Make `link` lead to `to`, a new folder inside; what it led to before is the caller's to copy."""
    link.unlink(missing_ok=True)
    link.symlink_to(to)
    scratch.give(link)
    return to
