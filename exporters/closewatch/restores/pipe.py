"""Output that is read as it comes and kept nowhere: what a program decrypts or unpacks never gets to a disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from closewatch.core.reasons import Unavailable
from closewatch.restores.why import Failed, Why
from closewatch.sources.program import Program


def piped(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Program:
    """A program whose output is read onwards. Raises Failed(tool_failed) where it isn't here."""
    try:
        return Program(command, environment=environment)
    except Unavailable:
        name = os.path.basename(command[0])  # noqa: PTH119 - a name, no path of ours
        raise Failed(Why.TOOL_FAILED, f"{name} is not installed here") from None


class Reader:
    """Chunks as a file that can only be read onwards, for what wants a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self.size = 0
        """Bytes that came so far."""

    def read(self, length: int = -1) -> bytes:
        """So many bytes, fewer at the end alone."""
        parts, have = [self._rest], len(self._rest)
        while length < 0 or have < length:
            part = next(self._chunks, None)
            if part is None:
                break
            self.size += len(part)
            have += len(part)
            parts.append(part)
        whole = b"".join(parts)
        cut = len(whole) if length < 0 else length
        self._rest = whole[cut:]
        return whole[:cut]

    def peek(self, length: int) -> bytes:
        """The next bytes, which are still to be read."""
        head = self.read(length)
        self._rest = head + self._rest
        return head

    def drain(self) -> None:
        """Read to the end, and keep nothing."""
        self._rest = b""
        for part in self._chunks:
            self.size += len(part)
