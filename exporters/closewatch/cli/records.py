"""Commands about records: list, show, verify, sign; make a key, or the tables in PostgreSQL."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from closewatch.cli.common import ConfigOption, fail, loaded, opened, quiet_log
from closewatch.core.labels import clean
from closewatch.core.problems import printable
from closewatch.core.records import Chain, Record, Store, StoreError
from closewatch.core.words import number_of

T = TypeVar("T")
app = typer.Typer(help="The records of scheduled checks: what was found, and that nobody changed it.")
StoreFile = Annotated[Path | None, typer.Option("--store", help="The file with the records, instead of --config.")]
MaybeConfig = Annotated[
    Path | None, typer.Option("--config", "-c", help="The configuration file.", envvar="CLOSEWATCH_CONFIG")
]


@app.command("verify")
def verify(
    config: MaybeConfig = None,
    store: StoreFile = None,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="Also check the signed heads by this key (PEM).")
    ] = None,
    heads: Annotated[
        Path | None, typer.Option("--heads", help="The folder of a copy: check by these heads, not by the store's own.")
    ] = None,
    copy: Annotated[
        str | None,
        typer.Option("--copy", help="The same by a copy that the configuration names: a folder or a bucket."),
    ] = None,
) -> None:
    """Check every chain from its first record to its last. Exits with 1 at any fault; needs no running closewatch."""
    from closewatch.core.records.verify import faults

    if public_key is None and (heads is not None or copy is not None):
        fail("--heads and --copy need --public-key: without it nobody knows who signed them")
    if heads is not None and copy is not None:
        fail("name one copy: --heads FOLDER or --copy NAME")
    found = _store(config, store)
    bad, records = 0, 0
    try:
        chains = found.chains()
        for chain in chains:
            counted = _Counted(found, chain)
            wrong = list(faults(chain, counted))
            records += counted.count
            bad += bool(wrong)
            state = "whole" if not wrong else f"BROKEN at record {wrong[0].sequence}: {wrong[0].words}"
            typer.echo(f"{_plain(str(chain))}: {number_of(counted.count, 'record')}: {state}")
        if public_key is not None:
            bad += _heads(found, public_key, _copied(config, heads, copy))
    except StoreError as error:
        fail(str(error))
    typer.echo(
        f"{number_of(len(chains), 'chain')}, {number_of(records, 'record')}: "
        + ("all whole" if not bad else "NOT as they were written")
    )
    if bad:
        raise typer.Exit(1)


def _copied(config: Path | None, heads: Path | None, copy: str | None) -> Sequence[tuple[str, str]] | None:
    """The signed heads of the copy that is asked for; None where none is. Leaves where they can't be read."""
    from closewatch.core.records.copies import CopyError, in_folder

    try:
        if heads is not None:
            return in_folder(heads)
        if copy is None:
            return None
        if config is None:
            fail("--copy needs --config, which says where the copy is")
        records = loaded(config).records
        assert records is not None
        return records.copied_heads(copy)
    except CopyError as error:
        fail(f"--copy {copy}: {error}" if heads is None else f"--heads {heads}: {error}")


def _heads(store: Store, public_key: Path, copied: Sequence[tuple[str, str]] | None) -> int:
    from closewatch.core.records.heads import KeyProblem, faults

    try:
        key = public_key.read_text(encoding="ascii")
        days = store.heads() if copied is None else copied
        wrong = list(faults(store, key, days if copied is not None else ()))
    except OSError as error:
        fail(f"--public-key {public_key}: {error.strerror or error}")
    except (UnicodeError, KeyProblem) as error:
        fail(f"--public-key {public_key}: {error if isinstance(error, KeyProblem) else 'is no PEM'}")
    for words in wrong:
        typer.echo(f"signed heads: {_plain(words)}")
    where = "" if copied is None else " in the copy"
    typer.echo(f"signed heads: {number_of(len(days), 'day')}{where}" + ("" if wrong else ", all good"))
    return len(wrong)


@app.command("list")
def list_chains(config: MaybeConfig = None, store: StoreFile = None) -> None:
    """One line a chain: its newest record."""
    found = _store(config, store)
    unreadable = False
    for chain in _answer(found.chains):
        try:
            newest = found.newest(chain)[0]
        except StoreError as error:
            typer.echo(_plain(str(error)))
            unreadable = True
            continue
        reason = f" ({newest.reason})" if newest.reason else ""
        typer.echo(_plain(f"{newest.header['end']}  {newest.result:<8} {chain}  #{newest.sequence}{reason}"))
    if unreadable:
        raise typer.Exit(1)


@app.command("show")
def show(
    check: Annotated[str, typer.Argument(help="The check, such as restore.", show_default=False)],
    target: Annotated[str, typer.Argument(help="The target.", show_default=False)],
    sequence: Annotated[int | None, typer.Argument(help="The record's number; default: the newest.")] = None,
    config: MaybeConfig = None,
    store: StoreFile = None,
) -> None:
    """A record as JSON: its header and what was found."""
    found = _store(config, store)
    chains = [chain for chain in _answer(found.chains) if (chain.check, chain.target) == (check, target)]
    records: list[Record] = []
    for chain in chains:
        records += _answer(partial(_of, found, chain, sequence))
    if not records:
        fail(f"no such record: {check} {target}" + (f" {sequence}" if sequence is not None else ""))
    for record in records:
        payload = record.payload if record.payload_text is not None else "expired"
        typer.echo(json.dumps({"header": record.header, "payload": payload}, indent=2))


@app.command("sign")
def sign(config: ConfigOption) -> None:
    """Sign the day that has ended, and bring the copies up to date, as `closewatch work` does by itself."""
    from closewatch.work import housekeeping

    quiet_log()
    settings = loaded(config)
    found = opened(settings, read_only=False)
    if settings.records is None or settings.records.signing_key is None:
        fail(f"{config}: records: signing_key: is missing; `closewatch records key FILE` makes one")
    before = len(_answer(found.heads))
    failed = housekeeping(settings, found, dt.datetime.now(dt.UTC).timestamp())
    days = len(_answer(found.heads))
    typer.echo(f"signed heads: {number_of(days, 'day')}" + ("" if days > before else "; there was nothing new to sign"))
    for name, day in _answer(found.copies).items():
        typer.echo(f"copy {name}: up to {day}")
    if failed:
        fail("\n".join(failed))


@app.command("schema")
def schema(
    worker: Annotated[str, typer.Option("--worker", help="The role of `closewatch work` and `receive`.")],
    reader: Annotated[str | None, typer.Option("--reader", help="The role of `closewatch serve`.")] = None,
) -> None:
    """Print the SQL that makes the tables of records in PostgreSQL, for the database's owner: closewatch … | psql."""
    from closewatch.sources.postgresql.recordtables import script

    typer.echo(script(worker, reader), nl=False)


@app.command("key")
def key(
    file: Annotated[Path, typer.Argument(help="Where the private key is written; FILE.pub gets the public one.")],
) -> None:
    """Make a pair of keys for signing. The public key goes to whoever verifies; the private one stays here."""
    from closewatch.core.records.heads import KeyProblem, new_key

    try:
        private, public = new_key()
        with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as handle:
            handle.write(private)
        public_file = file.with_name(f"{file.name}.pub")
        public_file.write_text(public, encoding="ascii")
    except OSError as error:
        fail(f"{file}: {error.strerror or error}")
    except KeyProblem as error:
        fail(f"{error}")
    typer.echo(f"private key: {file}\npublic key:  {public_file}")


def _of(store: Store, chain: Chain, sequence: int | None) -> Sequence[Record]:
    if sequence is None:
        return store.newest(chain)
    return [one for one in store.records(chain) if one.whole and one.sequence == sequence]


def _answer(ask: Callable[[], T]) -> T:
    """What the store says; leaves where it can't be read."""
    try:
        return ask()
    except StoreError as error:
        fail(_plain(str(error)))


class _Counted:
    """The records of a chain, counted on the way."""

    def __init__(self, store: Store, chain: Chain) -> None:
        self._records = store.records(chain)
        self.count = 0

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> Record:
        record = next(self._records)
        self.count += 1
        return record


def _store(config: Path | None, store: Path | None) -> Store:
    from closewatch.core.records.sqlite import SqliteStore

    quiet_log()
    if (config is None) == (store is None):
        fail("name the records by --config FILE or by --store FILE")
    if config is not None:
        return opened(loaded(config), read_only=True)
    assert store is not None
    try:
        return SqliteStore(store, read_only=True)
    except StoreError as error:
        fail(str(error))


def _plain(text: str) -> str:
    return printable(clean(text))
