"""Incremental backups of pg_basebackup (17 and newer): what one builds on, and how the chain is put together.

`backup_label` says where a backup began, and an incremental one from where the one began that it builds on. Each is
verified by itself first: what pg_combinebackup makes of a damaged one has a manifest that fits the damage.

Source: PostgreSQL's documentation of pg_basebackup and pg_combinebackup, 17 and 18.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from closewatch.restores import cluster
from closewatch.restores.scratch import Scratch
from closewatch.restores.verify import manifest
from closewatch.restores.why import Failed, Why

LABEL = "backup_label"
LARGEST = 64 * 1024
_LINE = re.compile(
    r"^(START WAL LOCATION|START TIMELINE|INCREMENTAL FROM LSN|INCREMENTAL FROM TLI): (\S+)", re.MULTILINE
)
Place = tuple[str, str]
"""Timeline and position in the WAL, as the label writes them."""


def chain(folder: Path, among: Sequence[Path], scratch: Scratch) -> Sequence[Path]:
    """What is needed to restore a backup: a full one, and what builds on it, itself at last. Raises Failed."""
    found = [folder]
    wanted = _builds_on(_label(folder, scratch))
    if wanted is None:
        return found
    labels = {one: _label(one, scratch) for one in among}
    while wanted is not None:
        before = [one for one, label in labels.items() if one not in found and _began(label) == wanted]
        if not before:
            raise Failed(Why.UNREADABLE, "it is incremental, and a backup that it builds on is not there")
        found.insert(0, before[0])
        wanted = _builds_on(labels[before[0]])
    return found


def combine(parts: Sequence[Path], scratch: Scratch) -> None:
    """Put data folders together in the place of the test. Raises Failed."""
    for part in parts:
        manifest.verify(scratch, part)
    program = cluster.program(cluster.binaries_of(scratch, parts[-1]), "pg_combinebackup")
    moved = []
    for link in sorted((parts[-1] / "pg_tblspc").glob("*")):
        if link.is_symlink():
            where, to = (_escaped(one) for one in (os.readlink(link), str(scratch.folder(f"tablespace-{link.name}"))))  # noqa: PTH115 - as text
            moved.append(f"--tablespace-mapping={where}={to}")
    ran = scratch.run([program, "--no-sync", *moved, "--output", str(scratch.data), *map(str, parts)], cwd=scratch.path)
    if ran.code:
        raise Failed(Why.UNREADABLE, "pg_combinebackup can't put the incremental backup together with those before it")


def _label(folder: Path, scratch: Scratch) -> Mapping[str, str]:
    """What a backup says of where it began; nothing where it can't be read."""
    archive = next(iter(sorted(folder.glob("base.tar*"))), None)
    if archive is None:
        try:
            with (folder / LABEL).open("rb") as file:
                raw = file.read(LARGEST)
        except OSError:
            return {}
    else:
        raw = scratch.run(["tar", "--occurrence=1", "-xOf", str(archive), LABEL], cwd=scratch.path).out[:LARGEST]
    return dict(_LINE.findall(raw.decode(errors="replace")))


def _began(label: Mapping[str, str]) -> Place | None:
    return _place(label, "START TIMELINE", "START WAL LOCATION")


def _builds_on(label: Mapping[str, str]) -> Place | None:
    return _place(label, "INCREMENTAL FROM TLI", "INCREMENTAL FROM LSN")


def _place(label: Mapping[str, str], timeline: str, position: str) -> Place | None:
    return (label[timeline], label[position]) if timeline in label and position in label else None


def _escaped(path: str) -> str:
    return path.replace("\\", "\\\\").replace("=", "\\=")
