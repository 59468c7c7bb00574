"""Reads files and prints their SHA-1: a program of its own, run once for each processor by `hashers`.

It needs nothing but the standard library and is run as a file, isolated (`python -I -S`), so that it starts at once.
Names come in lines on its standard input, relative to the folder in its argument; for each it prints a line: size and
SHA-1, or one word of why not. It ends when its input does, so also when the program that started it was killed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import sys

BUFFER = 1024 * 1024
NICE = 10
MISSING, UNREADABLE = "missing", "unreadable"
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY


def answer(name: str, folder: int, buffer: memoryview) -> str:
    """Size and SHA-1 of a regular file; another kind of file is missing, as far as anybody can use it."""
    try:
        handle = os.open(name, _FLAGS, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return MISSING
    except OSError as error:
        return MISSING if error.errno == errno.ELOOP else UNREADABLE
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            return MISSING
        return _read(handle, about.st_size, buffer)
    except OSError:
        return UNREADABLE
    finally:
        os.close(handle)


def _read(handle: int, expected: int, buffer: memoryview) -> str:
    if expected > BUFFER:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    digest = hashlib.sha1(usedforsecurity=False)
    size = 0
    while length := os.readv(handle, [buffer]):
        digest.update(buffer[:length])
        size += length
        if size == expected < BUFFER:  # most files are small: their end needs no second look
            break
    return f"{size} {digest.hexdigest()}"


def main() -> None:
    """Answer until the input ends."""
    with contextlib.suppress(OSError):
        os.nice(NICE)
    folder = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    buffer = memoryview(bytearray(BUFFER))
    lines, out = sys.stdin, sys.stdout
    while count := lines.readline().strip():
        names = [lines.readline().rstrip("\n") for _ in range(int(count))]
        out.write("".join([f"{answer(name, folder, buffer)}\n" for name in names]))
        out.flush()


if __name__ == "__main__":
    main()
