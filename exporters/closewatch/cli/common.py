"""What commands share."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from closewatch.core.config import Config
from closewatch.core.problems import ConfigError
from closewatch.core.records import Store, StoreError

ConfigFile = Annotated[Path, typer.Argument(help="The configuration file.", show_default=False)]
ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="The configuration file.", envvar="CLOSEWATCH_CONFIG")
]
LogFormat = Annotated[str, typer.Option("--log-format", help="json or console.")]
LogLevel = Annotated[str, typer.Option("--log-level", help="debug, info, warning or error.")]


def fail(message: str, code: int = 1) -> NoReturn:
    """Say what is wrong, and leave."""
    typer.echo(message, err=True)
    sys.exit(code)


def quiet_log() -> None:
    """On the terminal only what a person asked for: the words of the log are in the answer anyway."""
    from closewatch.core import log

    log.setup("console", os.environ.get("CLOSEWATCH_LOG_LEVEL", "error"))


def loaded(path: Path) -> Config:
    """The configuration; leaves with all that is wrong with it."""
    from closewatch.kinds import load

    try:
        return load(path)
    except ConfigError as error:
        fail(str(error))


def opened(config: Config, *, read_only: bool) -> Store:
    """The record store of a configuration; leaves where there is none, or it can't be opened."""
    if config.records is None:
        fail(f"{config.path}: records: is missing: write where results are kept: records: {{path: FILE}}")
    try:
        return config.records.store(read_only=read_only)
    except StoreError as error:
        fail(f"{config.path}: records: {error}")
