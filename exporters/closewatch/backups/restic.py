"""restic's own account of a repository: `snapshots --json`, and its locks. Nothing is locked by asking.

A repository of restic's is always encrypted. Whether a snapshot is partial (files that could not be read, exit code 3)
is not in it: the one that runs it must tell. Rights: to read the repository; the password comes in the environment.
Source: restic's cmd/restic/cmd_snapshots.go and main.go (exit codes; before 0.17 it is 1 for all); run with 0.14.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from closewatch.backups.found import Fault, Type
from closewatch.backups.judge import AHEAD
from closewatch.backups.reading import count, mapping, time_of, understood
from closewatch.backups.rows import Tables, place, row
from closewatch.core.deadline import Deadline
from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.secrets import Secret, SecretError
from closewatch.sources import tool

EXITS = {
    10: (Reason.NOT_FOUND, "there is no repository"),
    11: (Reason.SERVER_ERROR, "the repository is locked"),
    12: (Reason.AUTHENTICATION, "the password is wrong"),
}
_WORDS = {
    b"wrong password or no key found": 12,
    b"Is there a repository at the following location": 10,
    b"repository is already locked": 11,
}
"""What releases before 0.17 say, with exit code 1."""
MOST_LOCKS = 8
_ID = re.compile(r"[0-9a-f]{64}")


class Repository:
    """One repository, or what one host keeps in it."""

    def __init__(self, command: Sequence[str], repository: str, password: Secret, narrowed: Sequence[str]) -> None:
        self._command = [*command, "--no-lock", "--no-cache"]
        self._repository = repository
        self._password = password
        self._narrowed = list(narrowed)

    def look(self, deadline: Deadline) -> Tables:
        """The tables `main` and `place`. Raises Unavailable."""
        ran = self.run(deadline, "snapshots", "--json", *self._narrowed)
        return tables(last_document(ran.out), self._locks(deadline), time.time())

    def run(self, deadline: Deadline, *arguments: str, judged: bool = True) -> tool.Ran:
        """Run it; the repository and the password stand in the environment. Raises Unavailable."""
        try:
            password = self._password.read()
        except SecretError as error:
            raise Unavailable(Reason.SECRET, str(error)) from None
        environment = {"RESTIC_REPOSITORY": self._repository, "RESTIC_PASSWORD": password}
        ran = tool.run([*self._command, *arguments], deadline, environment=environment)
        if ran.code and judged:
            raise refused(ran)
        return ran

    def _locks(self, deadline: Deadline) -> Sequence[Any]:
        listed = self.run(deadline, "list", "locks").out.decode("ascii", "replace").split()
        found = []
        for each in [one for one in listed if _ID.fullmatch(one)][:MOST_LOCKS]:
            ran = self.run(deadline, "cat", "lock", each, judged=False)
            if not ran.code:  # else it was let go since
                found.append(ran.json())
        return found


def refused(ran: tool.Ran) -> Unavailable:
    """Why it ended with a code other than 0."""
    code = next((code for words, code in _WORDS.items() if words in ran.err), ran.code) if ran.code == 1 else ran.code
    reason, words = EXITS.get(code, (Reason.SERVER_ERROR, "see its own output"))
    return Unavailable(reason, f"restic ended with {ran.code}: {words}")


def last_document(out: bytes) -> Any:
    """The last line that is JSON: some releases print progress before it. Raises Unavailable."""
    for line in reversed(out.splitlines()):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        return found
    raise Unavailable(Reason.INVALID_ANSWER, "restic's output is not JSON")


def tables(document: Any, locks: Sequence[Any], now: float) -> Tables:
    """The rows of a list of snapshots, and of locks."""
    if document is not None and not isinstance(document, list):
        raise Unavailable(Reason.INVALID_ANSWER, "restic's list of snapshots has another form")
    rows = understood("restic's list of snapshots", lambda: [_row(one, now) for one in document or ()])
    taken = understood("restic's lock", lambda: [time_of(one["time"]) for one in locks])
    since = min((one for one in taken if one is not None), default=None)
    return {"main": rows, "place": [place(rows, locked=since, encrypted=True)]}


def _row(one: Mapping[str, Any], now: float) -> Mapping[str, Any]:
    summary = mapping(one.get("summary"))
    began, ended = time_of(summary.get("backup_start")), time_of(summary.get("backup_end"))
    at = ended or time_of(one["time"])
    if at is None or not one["tree"]:
        raise ValueError
    fault = Fault.IN_THE_FUTURE if at > now + AHEAD else None
    seconds = ended - began if ended is not None and began is not None else None
    size = count(summary.get("total_bytes_processed"))
    return row(Type.SNAPSHOT, at, fault, size=size, seconds=seconds, whole=True, encrypted=True)
