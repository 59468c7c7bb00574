"""pgBackRest's own account of one stanza in one repository: `pgbackrest info --output=json`.

The program leaves with 0 also when a stanza is in error: its status codes are read. A backup in which pages with wrong
checksums were found is listed like any other, and is not good. What WAL is there is asked by `pgbackrest_wal`. Rights:
those of a user who may read the repository.
Source: pgBackRest's src/command/info/info.c, 2.45 to 2.59; format 5 of its backups.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from closewatch.backups.found import Fault, Type
from closewatch.backups.judge import AHEAD, State
from closewatch.backups.pgbackrest_wal import Listed, Lister, part, window
from closewatch.backups.rows import PAGE_CHECKSUMS, Tables, place, row
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.sources import tool

FORMAT = 5
STATUS = {
    0: "ok",
    1: "missing_path",
    2: "no_backups",
    3: "missing_data",
    4: "different",
    5: "database_mismatch",
    6: "not_found",
}
OTHER = "other"
"""Also what a newer release may add."""
READABLE = {"ok", "no_backups", "different", "database_mismatch"}
_TYPES = {"full": Type.FULL, "diff": Type.DIFF, "incr": Type.INCR}
# Exit codes of common/error.auto.c: what a user does about them differs.
_EXITS = {
    37: (Reason.NOT_FOUND, "an option is missing in its configuration, such as the stanza"),
    41: (Reason.PERMISSION, "a file can't be opened"),
    42: (Reason.PERMISSION, "a file can't be read"),
    49: (Reason.UNREACHABLE, "the repository's host can't be reached"),
    55: (Reason.NOT_FOUND, "a file is missing"),
    73: (Reason.PERMISSION, "a path can't be opened"),
}


class Stanza:
    """One stanza in one repository."""

    def __init__(self, command: Sequence[str], stanza: str, repo: int, config: str | None) -> None:
        self._repo = repo
        self._stanza = stanza
        self._before = [*command, f"--stanza={stanza}", f"--repo={repo}"]
        self._after = ["--log-level-console=error", "--log-level-file=off", *([f"--config={config}"] if config else [])]
        self._lister = Lister(self._run, stanza)

    def look(self, deadline: Deadline) -> Tables:
        """The tables `main` (a row a backup) and `place` (one row). Raises Unavailable."""
        command = [*self._before, "--output=json", *self._after, "info"]
        document = self._judged(tool.run(command, deadline)).json()
        now = time.time()
        found = tables(document, self._stanza, self._repo, now)
        of = part(next(one for one in document if one["name"] == self._stanza), self._repo)
        listed = None if of is None else self._lister.look(of, deadline)
        return found if listed is None else tables(document, self._stanza, self._repo, now, listed)

    def _run(self, deadline: Deadline, arguments: Sequence[str]) -> tool.Ran:
        return self._judged(tool.run([*self._before, *self._after, *arguments], deadline))

    def _judged(self, ran: tool.Ran) -> tool.Ran:
        if ran.code:
            reason, words = _EXITS.get(ran.code, (Reason.SERVER_ERROR, "see its log"))
            raise Unavailable(reason, f"pgbackrest ended with {ran.code}: {words}")
        return ran


def tables(document: Any, name: str, repo: int, now: float, listed: Listed | None = None) -> Tables:
    """The rows of a document of `info`; `listed` is the WAL of its newest cluster.

    Raises Unavailable where it isn't one, or has nothing to say.
    """
    try:
        stanza = next(one for one in document if one["name"] == name)
        status = _status(stanza, repo)
        backups = [one for one in stanza["backup"] if _repo_of(one) == repo]
        rows = [_row(one, now) for one in backups]
        encrypted = _encrypted(stanza, repo)
        of = part(stanza, repo)
        good = [
            one
            for one, each in zip(backups, rows, strict=True)
            if each["state"] == State.GOOD.value and of is not None and int(one["database"]["id"]) == of.database
        ]
        span = {} if of is None else window(good, of, listed)
        held = bool(((stanza["status"].get("lock") or {}).get("backup") or {}).get("held"))
    except StopIteration:
        raise Unavailable(Reason.NOT_FOUND, "pgbackrest doesn't know the stanza") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Unavailable(Reason.INVALID_ANSWER, "pgbackrest's account of the stanza has another form") from None
    if status not in READABLE:
        reason = Reason.SERVER_ERROR if status == OTHER else Reason.NOT_FOUND
        raise Unavailable(reason, f"pgbackrest's status of the repository: {status}")
    if held:
        rows.append(row(None, None, state=State.UNFINISHED))
    return {"main": rows, "place": [place(rows, status=status, encrypted=encrypted, **span)]}


def _status(stanza: Mapping[str, Any], repo: int) -> str:
    """That of the repository, where the release tells it, else of the stanza."""
    codes = [int(one["status"]["code"]) for one in stanza.get("repo", ()) if int(one["key"]) == repo]
    return STATUS.get(codes[0] if codes else int(stanza["status"]["code"]), OTHER)


def _repo_of(backup: Mapping[str, Any]) -> int:
    return int(backup["database"].get("repo-key", 1))


def _row(backup: Mapping[str, Any], now: float) -> Mapping[str, Any]:
    began, ended = (float(backup["timestamp"][key]) for key in ("start", "stop"))
    wrong = backup.get("error")
    if not isinstance(wrong, bool | None):
        raise TypeError
    fault: Fault | None = None
    if int(backup["backrest"]["format"]) != FORMAT or backup["type"] not in _TYPES:
        fault = Fault.UNSUPPORTED_VERSION
    elif wrong:
        fault = Fault.PAGE_CHECKSUM
    elif ended > now + AHEAD:
        fault = Fault.IN_THE_FUTURE
    return row(
        _TYPES.get(backup["type"], Type.OPAQUE), ended, fault, size=int(backup["info"]["size"]), seconds=ended - began,
        verified=None if wrong is None else not wrong, by=PAGE_CHECKSUMS, whole=True,
    )  # fmt: skip


def _encrypted(stanza: Mapping[str, Any], repo: int) -> bool | None:
    """That of the repository, where the release tells it, else of the stanza."""
    ciphers = [one.get("cipher") for one in stanza.get("repo", ()) if int(one["key"]) == repo]
    cipher = ciphers[0] if ciphers else stanza.get("cipher")
    return None if cipher in {None, "mixed"} else cipher != "none"
