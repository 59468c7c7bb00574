"""`closewatch figures`: what a restore test later compares with, written when a backup is taken."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer

from closewatch.cli.common import ConfigOption, fail, loaded, quiet_log


def figures(
    target: Annotated[str, typer.Argument(help="The name of a target of kind odoo.", show_default=False)],
    config: ConfigOption,
    limit: Annotated[float, typer.Option("--limit", help="Seconds that it may take.", min=1, max=86_400)] = 3600.0,
) -> None:
    """Print the figures of a database's books as JSON: counts, trial balance, chain heads; no names, no amounts alone.

    A backup job calls it before the backup, and writes FOLDER/NAME-OF-THE-BACKUP.json, where `figures: FOLDER` of a
    plan finds it. The role needs SELECT on the columns that docs/guides/recovery.md lists.
    """
    from closewatch.core.deadline import Deadline
    from closewatch.core.reasons import Unavailable
    from closewatch.odoo.settings import OdooTarget
    from closewatch.postgresql.settings import PostgresqlTarget
    from closewatch.restores.verify import ledger
    from closewatch.sources.postgresql.reading import one_moment

    quiet_log()
    settings = loaded(config)
    databases = {one.name: one for one in settings.targets if isinstance(one, OdooTarget)}
    if target not in databases:
        fail(f"no target {target!r} of kind odoo; there are: {', '.join(sorted(databases)) or 'none'}")
    of = databases[target]
    server = next(one for one in settings.targets if isinstance(one, PostgresqlTarget) and one.name == of.server)
    deadline = Deadline.after(limit)
    try:
        with one_moment(server.login(), of.database, deadline) as connection:
            found = ledger.figures(connection, time.time(), pause=deadline.need)
    except Unavailable as failure:
        fail(f"{target}: {failure.reason.value}: {failure.detail or failure.reason.words}")
    typer.echo(json.dumps(found))
