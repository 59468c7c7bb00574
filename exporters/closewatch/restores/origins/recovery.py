"""The lines of postgresql.conf that recovery needs, for every physical origin; and WAL that lies in a folder."""

from __future__ import annotations

import datetime as dt
import re
import shlex
from pathlib import Path

from closewatch.restores.origins.base import Moment

_UNPACK = {"gz": "gzip -dc", "zst": "zstd -dcq", "xz": "xz -dc", "lz4": "lz4 -dcq", "bz2": "bzip2 -dc"}
PACKED = tuple(_UNPACK)
SEGMENT = re.compile(rf"([0-9A-F]{{24}})(\.({'|'.join(PACKED)}))?")
"""A segment in such a folder, as it is or compressed."""


def from_folder(folder: Path) -> str:
    """The command that takes a segment from there as it is, else by the program that unpacks it."""
    place = shlex.quote(str(folder))
    tries = [f'test -f {place}/%f && cp {place}/%f "%p"']
    tries += [f'test -f {place}/%f.{kind} && {how} {place}/%f.{kind} > "%p"' for kind, how in _UNPACK.items()]
    return " || ".join(f"({one})" for one in tries)


def settings_for(restore_command: str, to: Moment) -> dict[str, str]:
    """Fetch WAL by this command; stop at the moment, where one is asked for, and take part in life from there."""
    found = {"restore_command": restore_command, "recovery_target_action": "promote"}
    if to.time is not None:
        found["recovery_target_time"] = dt.datetime.fromtimestamp(to.time, dt.UTC).isoformat(sep=" ")
    return found
