"""From a repository of pgBackRest: its own `restore` into the scratch folder, WAL by its own `archive-get`.

The server of the configuration (`pg1-host`, `pg1-path`) is overridden in every call: nothing is restored there.
Rights: those of a user who may read the repository. Source: pgBackRest's command reference, 2.45 to 2.59.
"""

from __future__ import annotations

import datetime as dt
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from closewatch.restores.origins.base import Backup, Moment, Window
from closewatch.restores.origins.recovery import settings_for
from closewatch.restores.scratch import Scratch
from closewatch.restores.toolerrors import pgbackrest_errors, pgbackrest_failure
from closewatch.restores.why import Failed, Why
from closewatch.sources.tool import Ran


class Pgbackrest:
    """One stanza in one repository."""

    name = "pgbackrest"

    def __init__(self, command: Sequence[str], stanza: str, repo: int, config: Path | None, processes: int = 2) -> None:
        self._command = [*command, f"--stanza={stanza}", "--log-level-console=error", "--log-level-file=off"]
        self._command += [f"--config={config}"] if config else []
        self._stanza = stanza
        self._repo = repo
        self._processes = processes

    def backups(self, scratch: Scratch) -> Sequence[Backup]:
        """The good ones, the newest first. Raises Failed."""
        stanza = self._info(scratch)
        try:
            own = [one for one in stanza["db"] if int(one.get("repo-key", self._repo)) == self._repo]
            versions = {int(one["id"]): one for one in own}
            found = [_backup(one, versions) for one in stanza["backup"] if self._good(one)]
        except (KeyError, TypeError, ValueError):
            raise Failed(Why.TOOL_FAILED, "pgbackrest's account of the stanza has another form") from None
        return sorted(found, key=lambda backup: backup.done, reverse=True)

    def window(self, scratch: Scratch) -> Window | None:
        """From the end of the oldest good backup to the time of the newest WAL segment in the archive."""
        good = self.backups(scratch)
        newest = self.newest_wal(scratch)
        if not good:
            return None
        since = min(backup.done for backup in good)
        until = None if newest is None else self._time_of(newest, scratch)
        return Window(since, until)

    def newest_wal(self, scratch: Scratch) -> str | None:
        """The newest segment in the archive of the newest cluster."""
        archives = [one for one in self._info(scratch).get("archive", ()) if self._here(one)]
        found = archives[-1].get("max") if archives else None
        return found if isinstance(found, str) else None

    def restore(self, backup: Backup, to: Moment, scratch: Scratch) -> Mapping[str, str]:
        """Fill the data folder. Raises Failed."""
        tablespaces = scratch.folder("tablespaces")
        command = [*self._own(scratch), f"--repo={self._repo}", f"--set={backup.id}", "--type=none"]
        command += [f"--tablespace-map-all={tablespaces}", "--archive-mode=off"]
        command += ["--no-link-all", "--reset-link-map"]  # else the configuration could lead out of the folder
        self._run([*command, f"--process-max={self._processes}", "restore"], scratch)
        get = shlex.join([*self._own(scratch), f"--repo={self._repo}", "--no-archive-async", "archive-get"])
        return settings_for(f'{get} %f "%p"', to)

    def _own(self, scratch: Scratch) -> list[str]:
        """The program with everything that it writes in the scratch folder."""
        lock = f"--lock-path={scratch.path / 'outputs'}"
        return [*self._command, f"--pg1-path={scratch.data}", "--reset-pg1-host", lock]

    def _info(self, scratch: Scratch) -> Mapping[str, Any]:
        ran = self._run([*self._command, f"--repo={self._repo}", "--output=json", "info"], scratch)
        try:
            found: Mapping[str, Any] = next(one for one in json.loads(ran.out) if one["name"] == self._stanza)
        except StopIteration:
            raise Failed(Why.NO_BACKUP, "pgbackrest doesn't know the stanza") from None
        except (ValueError, KeyError, TypeError):
            raise Failed(Why.TOOL_FAILED, "pgbackrest's account has another form") from None
        return found

    def _time_of(self, segment: str, scratch: Scratch) -> float | None:
        """When the segment was put into the archive; it ends with what was written then."""
        archives = [one for one in self._info(scratch).get("archive", ()) if self._here(one)]
        folder = f"archive/{self._stanza}/{archives[-1]['id']}/{segment[:16]}"
        ran = self._run([*self._command, f"--repo={self._repo}", "--output=json", "repo-ls", folder], scratch)
        try:
            times = [one["time"] for name, one in json.loads(ran.out).items() if name.startswith(segment)]
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return float(max(times)) if times else None

    def _run(self, command: Sequence[str], scratch: Scratch) -> Ran:
        ran = scratch.run(command)
        if ran.code:
            said = pgbackrest_errors(ran.err.decode(errors="replace"))
            raise pgbackrest_failure(said[-1] if said else ran.code)
        return ran

    def _here(self, one: Mapping[str, Any]) -> bool:
        return int(one["database"].get("repo-key", 1)) == self._repo

    def _good(self, one: Mapping[str, Any]) -> bool:
        return self._here(one) and not one.get("error")


def _backup(one: Mapping[str, Any], versions: Mapping[int, Mapping[str, Any]]) -> Backup:
    cluster = versions.get(int(one["database"]["id"]), {})
    about: dict[str, str | int | bool] = {
        "type": str(one["type"]),
        "begun": dt.datetime.fromtimestamp(int(one["timestamp"]["start"]), dt.UTC).isoformat(),
        "wal": f"{one['archive']['start']} to {one['archive']['stop']}",
    }
    if "system-id" in cluster:
        about["system_identifier"] = str(cluster["system-id"])
    version = str(cluster.get("version", ""))
    major = int(version.split(".", maxsplit=1)[0]) if version[:1].isdigit() else None
    return Backup(
        str(one["label"]), float(one["timestamp"]["stop"]), int(one["info"]["size"]), major=major, about=about
    )
