"""Commands that sabotage on purpose, to see whether it is noticed."""

from __future__ import annotations

from typing import Annotated

import typer

from closewatch.cli.common import fail, quiet_log

app = typer.Typer(help="Sabotage on purpose, on throwaway servers: is it noticed, and for the right reason?")


@app.callback()
def _group() -> None:
    """Keeps `restores` a command of its own while it is the only one."""


@app.command("restores")
def restores(
    only: Annotated[str | None, typer.Option("--only", help="Only the cases with this in their name.")] = None,
    rounds: Annotated[int, typer.Option("--rounds", help="How often each healthy backup is restored.", min=1)] = 1,
    show_list: Annotated[bool, typer.Option("--list", help="Name the cases, with the reason that is right.")] = False,
) -> None:
    """Restore healthy and sabotaged backups, and print what was noticed. Exits with 1 where one was not."""
    from closewatch.drill.buckets import CASES
    from closewatch.drill.restores import all_cases, drill, healthy_cases
    from closewatch.engines.process import EngineError

    quiet_log()
    if show_list:
        for case in (*healthy_cases(), *all_cases()):
            typer.echo(f"{case.name:<62} {' or '.join(case.expected)}")
        for bucket in CASES:
            typer.echo(f"{bucket.name:<62} {bucket.expected}")
        return
    try:
        well = drill(typer.echo, only=only, rounds=rounds)
    except EngineError as error:
        fail(str(error))
    if not well:
        raise typer.Exit(1)
