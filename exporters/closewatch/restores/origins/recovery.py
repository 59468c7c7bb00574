"""The lines of postgresql.conf that recovery needs, the same for every physical origin."""

from __future__ import annotations

import datetime as dt

from closewatch.restores.origins.base import Moment


def settings_for(restore_command: str, to: Moment) -> dict[str, str]:
    """Fetch WAL by this command; stop at the moment, where one is asked for, and take part in life from there."""
    found = {"restore_command": restore_command, "recovery_target_action": "promote"}
    if to.time is not None:
        found["recovery_target_time"] = dt.datetime.fromtimestamp(to.time, dt.UTC).isoformat(sep=" ")
    return found
