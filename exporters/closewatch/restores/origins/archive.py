"""Loads pg_dump's custom, directory and tar formats by pg_restore, side by side where the format allows it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from closewatch.backups.archives import is_tar
from closewatch.restores.origins import unpacked
from closewatch.restores.origins.loading import LOADER, Schemas, beforehand, prepare
from closewatch.restores.origins.script import Script
from closewatch.restores.why import Failed, Why

if TYPE_CHECKING:
    from closewatch.restores.scratch import Scratch
    from closewatch.restores.server import Server

WORK = "definitions"
"""The folder for what pg_restore is told."""
_LEFT_OUT = re.compile(
    rb"\d+; \d+ \d+ (COMMENT - )?(EVENT TRIGGER|PUBLICATION|SUBSCRIPTION|USER MAPPING|SECURITY LABEL|EXTENSION"
    rb"|DATABASE|ACL|DEFAULT ACL|PROCEDURAL LANGUAGE)\b"
)
_SCHEMA = re.compile(rb"\d+; \d+ \d+ SCHEMA - (.*)")
_FIRST = re.compile(rb"\d+; \d+ \d+ (SCHEMA|EXTENSION|POLICY) ")
"""What the load needs made beforehand, or needs somebody made for."""
_SAID = (
    (
        rb"unsupported version|unrecognized configuration parameter",
        Why.WRONG_VERSION,
        "pg_restore here is too old for it",
    ),
    (rb"No space left on device|could not extend file|Disk quota", Why.NO_SPACE, ""),
    (rb"extension \"[^\"]*\" is not available", Why.WRONG_VERSION, "an extension is not installed here"),
    (
        rb"permission denied|must be superuser|must be owner",
        Why.CANNOT_TEST,
        "it holds what only a superuser may create",
    ),
    (
        rb"violates (foreign key|unique|check|not-null|exclusion)|could not create unique index|duplicate key",
        Why.CORRUPT,
        "rows of the dump contradict its own keys and constraints",
    ),
    (
        rb"connection to server .* failed|server closed the connection|terminating connection",
        Why.START_FAILED,
        "the server ended while the dump was loaded",
    ),
)


def load(path: Path, server: Server, database: str, jobs: int, scratch: Scratch) -> None:
    """Load an archive into an empty database. Raises Failed."""
    folder = scratch.folder(WORK)
    program = server.program("pg_restore")
    listed = _ask([program, "--list", str(path)], folder / "list", scratch)
    left_out = _prepare(path, listed, folder, server, database, scratch)
    wanted = folder / "wanted"
    wanted.write_bytes(b"".join(_wanted(listed, left_out)))
    command = [program, "--exit-on-error", "--no-owner", "--no-privileges", "--no-tablespaces", "--no-password"]
    command += ["--no-publications", "--no-subscriptions", "--no-security-labels", f"--use-list={wanted}"]
    command += ["-h", str(server.socket), "-p", str(server.port), "-U", LOADER, "-d", database]
    if jobs > 1 and (path.is_dir() or not is_tar(unpacked.head(path, 512))):
        command.append(f"--jobs={jobs}")
    ran = scratch.run([*command, str(path)])
    if ran.code:
        scratch.need()
        raise said(ran.err)


def _prepare(
    path: Path, listed: Sequence[bytes], folder: Path, server: Server, database: str, scratch: Scratch
) -> Schemas:
    """Make what the load needs beforehand."""
    first, text = folder / "first", folder / "first.sql"
    first.write_bytes(b"".join(line for line in listed if _FIRST.match(line)))
    options = ["--schema-only", "--no-owner", "--no-privileges", "--no-tablespaces"]
    options += [f"--use-list={first}", f"--file={text}"]
    ran = scratch.run([server.program("pg_restore"), *options, str(path)])
    if ran.code:
        raise said(ran.err)
    with server.connect(database) as administrator:
        session = prepare(administrator, database)
        try:
            return beforehand(Script(unpacked.chunks(text, scratch.need)), administrator, session)
        finally:
            session.close()


def _ask(command: list[str], to: Path, scratch: Scratch) -> list[bytes]:
    ran = scratch.run(command, stdout=to)
    if ran.code:
        raise said(ran.err)
    return to.read_bytes().splitlines(keepends=True)


def _wanted(listed: Sequence[bytes], schemas: Schemas) -> list[bytes]:
    """The lines of the table of contents that are loaded."""
    kept = []
    for line in listed:
        schema = _SCHEMA.match(line)
        there = schema is not None and _first(schema[1].decode("utf-8", "replace"), schemas) in schemas.made
        if not there and not _LEFT_OUT.match(line):
            kept.append(line)
    return kept


def _first(text: str, schemas: Schemas) -> str | None:
    """The schema that a line names: its owner follows after a space, and both may have spaces in them."""
    fitting = [name for name in schemas.named if text.startswith(f"{name} ")]
    return max(fitting, key=len, default=None)


def said(text: bytes) -> Failed:
    """What pg_restore's complaint means; its text may show rows, and is not passed on."""
    for pattern, why, words in _SAID:
        if re.search(pattern, text):
            return Failed(why, words)
    return Failed(Why.UNREADABLE, "pg_restore ended with an error: the dump is cut short, altered or damaged")
