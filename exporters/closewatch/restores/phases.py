"""The phases of a restore test and how long each took, and when the databases could have been used again."""

from __future__ import annotations

import contextlib
import enum
import time
from collections.abc import Iterator

from closewatch.core.checks import Progress


class Phase(enum.StrEnum):
    """The label `phase`."""

    CHOOSE = "choose"
    FETCH = "fetch"
    PREPARE = "prepare"
    RESTORE = "restore"
    RECOVER = "recover"
    MANIFEST = "manifest"
    AMCHECK = "amcheck"
    BOOKS = "books"
    FILESTORE = "filestore"
    OTHERS = "others"
    TOTAL = "total"
    RTA = "rta"


TO_USABLE = (Phase.CHOOSE, Phase.FETCH, Phase.PREPARE, Phase.RESTORE, Phase.RECOVER)
"""What stands between the decision to restore and a database that can be used; looking at it comes after."""


class Clock:
    """Takes the time of phases, on the monotonic clock."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._took: dict[Phase, float] = {}
        self._began = time.monotonic()

    @contextlib.contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        """The time between, added to the phase also when it fails."""
        self._progress(name.value, None)
        began = time.monotonic()
        try:
            yield
        finally:
            self._took[name] = self._took.get(name, 0.0) + time.monotonic() - began

    def milliseconds(self, *, usable: bool) -> dict[str, int]:
        """By phase, in milliseconds, with the whole; `rta` only where the databases became usable."""
        took = dict(self._took)
        took[Phase.TOTAL] = time.monotonic() - self._began
        if usable:
            took[Phase.RTA] = sum(self._took.get(phase, 0.0) for phase in TO_USABLE)
        return {phase.value: round(seconds * 1000) for phase, seconds in took.items()}
