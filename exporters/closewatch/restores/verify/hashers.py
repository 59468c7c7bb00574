"""Several processes that hash files side by side (see `hashing`), each asked by a thread, a batch at a time."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from closewatch.restores.verify import hashing

BATCH = 128
"""Files; few enough that names and answers fit into a pipe's buffer."""
BATCH_BYTES = 64 * 1024 * 1024
TICK = 0.2
GOODBYE = 2.0
Need = Callable[[], object]
"""Raises where the run must stop."""


class File(NamedTuple):
    """What is known of a file: its name below the folder, and the size it should have."""

    name: str
    size: int | None


class Hashed(NamedTuple):
    """What was read; `sha1` is None where `why` says that nothing could be."""

    file: File
    size: int = 0
    sha1: str | None = None
    why: str | None = None


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def hashed(root: Path, files: Iterable[File], need: Need, processes: int | None = None) -> Iterator[list[Hashed]]:
    """Read all these files; the answers come in batches, in no order. What `need` raises ends all processes."""
    count = processes or processors()
    todo: queue.Queue[list[File] | None] = queue.Queue(2 * count)
    done: queue.Queue[list[Hashed] | None] = queue.Queue()
    programs = [_start(root) for _ in range(count)]
    threads = [threading.Thread(target=_ask, args=(program, todo, done), daemon=True) for program in programs]
    try:
        for thread in threads:
            thread.start()
        open_batches = 0
        for batch in _batches(files):
            while True:
                need()
                with contextlib.suppress(queue.Full):
                    todo.put(batch, timeout=TICK)
                    break
                _alive(programs)
            open_batches += 1
            while not done.empty():
                open_batches -= 1
                yield _got(done.get())
        while open_batches:
            need()
            with contextlib.suppress(queue.Empty):
                answers = _got(done.get(timeout=TICK))
                open_batches -= 1
                yield answers
    finally:
        _end(programs, threads, todo)


def _alive(programs: list[subprocess.Popen[str]]) -> None:
    if all(program.poll() is not None for program in programs):
        raise RuntimeError("the processes that read files ended by themselves")


def _got(answers: list[Hashed] | None) -> list[Hashed]:
    if answers is None:
        raise RuntimeError("a process that reads files ended by itself")
    return answers


def _start(root: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-I", "-S", hashing.__file__, str(root)]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env={"LC_ALL": "C.UTF-8"},
    )


def _ask(
    program: subprocess.Popen[str], todo: queue.Queue[list[File] | None], done: queue.Queue[list[Hashed] | None]
) -> None:
    assert program.stdin is not None
    assert program.stdout is not None
    while (batch := todo.get()) is not None:
        try:
            program.stdin.write("".join([f"{len(batch)}\n", *[f"{file.name}\n" for file in batch]]))
            program.stdin.flush()
            done.put([_answer(file, program.stdout) for file in batch])
        except (OSError, ValueError):
            done.put(None)
            return


def _answer(file: File, out: IO[str]) -> Hashed:
    first, _, sha1 = out.readline().strip().partition(" ")
    if sha1:
        return Hashed(file, int(first), sha1)
    if first not in {hashing.MISSING, hashing.UNREADABLE}:
        raise ValueError("no answer")
    return Hashed(file, why=first)


def _batches(files: Iterable[File]) -> Iterator[list[File]]:
    batch: list[File] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.size or 0
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _end(
    programs: list[subprocess.Popen[str]], threads: list[threading.Thread], todo: queue.Queue[list[File] | None]
) -> None:
    for program in programs:
        program.kill()
    with contextlib.suppress(queue.Empty):
        while True:
            todo.get_nowait()
    for _ in threads:
        with contextlib.suppress(queue.Full):
            todo.put_nowait(None)
    for thread in threads:
        if thread.ident is not None:
            thread.join(GOODBYE)
    for program in programs:
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(GOODBYE)
        for pipe in (program.stdin, program.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
