"""Commands that run scheduled checks: `work`, and `restore-test` for one plan now."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from closewatch.cli.common import ConfigFile, ConfigOption, LogFormat, LogLevel, fail, loaded, opened, quiet_log
from closewatch.core.records import Record, StoreError

if TYPE_CHECKING:
    from closewatch.core.config import Config

CODES = {"passed": 0, "failed": 1, "unknown": 2}
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def work(
    config: ConfigFile,
    once: Annotated[
        tuple[str, str] | None, typer.Option("--once", help="CHECK TARGET: run this one now, and leave.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", help="So many checks run at once.", min=1, max=64)] = 1,
    log_format: LogFormat = "json",
    log_level: LogLevel = "info",
) -> None:
    """Run the scheduled checks of all targets when they are due, and keep what they find as records.

    A hang-up (SIGHUP) takes the configuration up again. With --once it exits with 0 where the check passed, 1 where it
    failed, 2 where that is not known.
    """
    from closewatch.core import log
    from closewatch.work import Schedule

    try:
        log.setup(log_format, log_level)
    except ValueError as error:
        fail(str(error))
    settings = loaded(config)
    if once is not None:
        raise typer.Exit(CODES[_once(settings, *once, show=False).result])
    # Waited for, not handled: a handler would run between any two lines of the main thread. Threads inherit the mask.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    store = opened(settings, read_only=False)
    schedule = Schedule(settings, store, jobs)

    def wait(seconds: float) -> bool:
        got = signal.sigtimedwait(SIGNALS, seconds)
        if got is not None and got.si_signo == signal.SIGHUP:
            schedule.reload()
            return False
        return got is not None

    schedule.run(wait)
    store.close()


def restore_test(
    plan: Annotated[str, typer.Argument(help="The name of a target of kind restores.", show_default=False)],
    config: ConfigOption,
    html: Annotated[Path | None, typer.Option("--html", help="Also write the report to this file, as a page.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="The record as JSON instead of the report.")] = False,
) -> None:
    """Carry out a restore test now, keep its record, and show the report. Exits with 0 only where it passed."""
    from closewatch.restores.report import as_page, as_text
    from closewatch.restores.tested import CHECK

    quiet_log()
    record = _once(loaded(config), CHECK, plan, show=sys.stderr.isatty())
    if html is not None:
        try:
            html.write_text(as_page(record), encoding="utf-8")
        except OSError as error:
            fail(f"--html {html}: {error.strerror or error}")
    if json_:
        typer.echo(json.dumps({"header": record.header, "payload": record.payload}, indent=2, ensure_ascii=False))
    else:
        typer.echo(as_text(record), nl=False)
    raise typer.Exit(CODES[record.result])


def _once(config: Config, check: str, target: str, *, show: bool) -> Record:
    """Run one check now; leaves where it can't be, or another worker is at it."""
    from closewatch.registry import Registry
    from closewatch.work import Worker, account, jobs_of

    registry = Registry(config)
    jobs = jobs_of(registry)
    found = [job for job in jobs if job.check.name == check and job.target.name == target]
    if not found:
        names = ", ".join(sorted(f"{job.check.name} {job.target.name}" for job in jobs)) or "none"
        fail(f"no check {check} of a target {target!r}; there are: {names}", 2)
    store = opened(config, read_only=False)
    worker = Worker(config, store, account())
    _stopped_by_signals(worker.stop)
    display = _Display(target) if show else None
    try:
        record = worker.run(found[0], display or (lambda _phase, _share: None))
    except StoreError as error:
        fail(f"records: {error}: what was found could not be kept, so the check counts as failed")
    finally:
        if display is not None:
            display.end()
        registry.close()
    if record is None:
        fail(f"{check} of {target} is being carried out by another worker", 2)
    return record


def _stopped_by_signals(stop: threading.Event) -> None:
    """The first signal asks the check to clean up and end."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())


class _Display:
    """A line on the terminal: the phase, and how long it has taken."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._phase, self._began, self._start = "", time.monotonic(), time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="display", daemon=True)
        self._thread.start()

    def __call__(self, phase: str, _share: float | None) -> None:
        """The phase that begins."""
        if self._phase and self._phase != phase:
            sys.stderr.write(f"\r\x1b[K  {self._phase:<12} {time.monotonic() - self._began:8.1f} s\n")
        self._phase, self._began = phase, time.monotonic()

    def _draw(self) -> None:
        while not self._over.wait(0.2):
            if self._phase:
                took, whole = time.monotonic() - self._began, time.monotonic() - self._start
                sys.stderr.write(f"\r\x1b[K  {self._phase:<12} {took:8.1f} s   in all {whole:.0f} s")
                sys.stderr.flush()

    def end(self) -> None:
        """The line goes away."""
        self._over.set()
        self._thread.join()
        if self._phase:
            sys.stderr.write(f"\r\x1b[K  {self._phase:<12} {time.monotonic() - self._began:8.1f} s\n\n")
            sys.stderr.flush()
