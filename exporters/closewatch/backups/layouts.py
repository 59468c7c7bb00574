"""What each backup program never rewrites, and where it lies: only that can be compared from one look to the next.

pgBackRest rewrites backup.info, archive.info and their copies at each run, restic its index, packs and locks. What is
compared is written once: pgBackRest's backup.manifest of each backup, restic's snapshots, keys and config, the
backup.info of each of barman-cloud's backups, WAL-G's sentinels, and of plain files those that fit the pattern, less
what is named "latest", lies beside a backup, or is still being written.
Source: pgBackRest's src/command/backup, restic's doc/design.rst, barman's cloud.py, WAL-G's docs/README.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from closewatch.backups.judge import beside, under_way
from closewatch.sources.store import matches, pattern

_LATEST = re.compile(r"(^|/)(latest|current)([._-][^/]*)?$", re.IGNORECASE)
_LABEL = re.compile(r"^(\d{8}-\d{6}F(?:_\d{8}-\d{6}[DI])?)=\{", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Layout:
    """`ways` are (folders, begin of names, folders below too); `keep` says which names are compared.

    `catalogue` says which names are the program's own catalogue, to be read; `lasting` which never expire.
    """

    ways: tuple[tuple[tuple[str, ...], str, bool], ...]
    keep: Callable[[str], bool]
    catalogue: Callable[[str], bool] = lambda _: False
    lasting: Callable[[str], bool] = lambda _: False


def _fits(expression: str) -> Callable[[str], bool]:
    compiled = re.compile(expression)
    return lambda name: compiled.fullmatch(name) is not None


PGBACKREST = Layout(
    ((("backup", "*", "*"), "backup.manifest", False), (("backup", "*"), "backup.info", False)),
    _fits(r"backup/[^/]+/[^/]+/backup\.manifest"),
    _fits(r"backup/[^/]+/backup\.info"),
)
RESTIC = Layout(
    (((), "config", False), (("keys",), "", False), (("snapshots",), "", False)),
    _fits(r"config|(keys|snapshots)/[0-9a-f]{64}"),
    lasting=_fits(r"config|keys/.*"),
)
BARMAN = Layout(((("base", "*"), "backup.info", False),), _fits(r"base/[^/]+/backup\.info"))
WALG = Layout(((("basebackups_005",), "", False),), _fits(r"basebackups_005/[^/]+_backup_stop_sentinel\.json"))
LAYOUTS: Mapping[str, Layout] = {"pgbackrest": PGBACKREST, "restic": RESTIC, "barman": BARMAN, "walg": WALG}


def layout(name: str, fitting: str) -> Layout:
    """The layout of a name; plain files are those that fit the pattern."""
    if name in LAYOUTS:
        return LAYOUTS[name]
    levels = pattern(fitting)

    def keep(name: str) -> bool:
        if not name or name.endswith("/") or under_way(name) or beside(name) or _LATEST.search(name):
            return False
        return matches(name.lstrip("/"), levels)

    return Layout((((), "", "/" in fitting),), keep)


def listed(texts: Mapping[str, str]) -> Mapping[str, bool] | None:
    """What pgBackRest's catalogues list, as the names that are compared; None where there is none to be read.

    Labels of `[backup:current]`; an encrypted repository's catalogue can't be read.
    """
    found: dict[str, bool] = {}
    for name, text in texts.items():
        section = text.partition("[backup:current]")[2].partition("\n[")[0]
        if "[backrest]" not in text:
            continue
        found |= {f"{name.removesuffix('backup.info')}{label}/backup.manifest": True for label in _labels(section)}
        found.setdefault(name, True)
    return found or None


def _labels(section: str) -> Iterable[str]:
    return _LABEL.findall(section)
