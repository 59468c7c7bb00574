r"""Plain SQL, statement by statement, without psql: what a dump says to psql (`\!`, `\copy`, `\connect`) is never done.

A statement ends at a semicolon outside of quotes, comments, parentheses and SQL function bodies, as in psql. The data
of `COPY … FROM stdin` come as they are, up to a line of `\.`. Of psql's own commands, a dump has `\connect`,
`\restrict` and `\unrestrict`; they are given as such, and any other one is a fault.

Source: PostgreSQL's src/fe_utils/psqlscan.l (xq, xe, xdolq, begin_depth, paren_depth) and src/bin/pg_dump.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from closewatch.restores.why import Failed, Why

LONGEST = 512 * 1024 * 1024
"""Bytes of one statement."""
TAIL = 4096
COMMANDS = (b"connect", b"restrict", b"unrestrict")
_WORD = rb"A-Za-z0-9_$\x80-\xff"
_DOLLAR = rb"(?<![" + _WORD + rb"])\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$"
_TOKEN = re.compile(rb"""['"();\\]|--|/\*|""" + _DOLLAR)
_TOKEN_IN_ROUTINE = re.compile(
    _TOKEN.pattern + rb"|(?<![" + _WORD + rb"])(?:BEGIN|CASE|END)(?![" + _WORD + rb"])", re.IGNORECASE
)
_PLAIN_QUOTE = re.compile(rb"'")
_ESCAPED_QUOTE = re.compile(rb"(?s)\\.|''|'")
_NAME_QUOTE = re.compile(rb'"')
_LINE_END = re.compile(rb"\n")
_COMMENT = re.compile(rb"/\*|\*/")
_SPACE = re.compile(rb"\s+")
_ESCAPES = re.compile(rb"(?:^|[^" + _WORD + rb"])[eE]$")
_COPY = re.compile(rb"COPY\s.*\sFROM\s+stdin\b", re.IGNORECASE | re.DOTALL)
_ROUTINE = re.compile(rb"CREATE\s+(OR\s+REPLACE\s+)?(FUNCTION|PROCEDURE)\b", re.IGNORECASE)
_CONTINUES = 128
"""So many bytes a token may be long; what is nearer to the end of what was read is looked at when there is more."""


class Statement(NamedTuple):
    """One statement, without comments before it and without its semicolon."""

    text: bytes


class Copy(NamedTuple):
    """A statement that is followed by data, which must be read before the next one."""

    text: bytes
    data: Iterator[bytes]


class Command(NamedTuple):
    r"""A line for psql: its name without the backslash."""

    name: bytes


class _End(Exception):
    """The text ends here."""


class Script:
    """Reads a text that comes in chunks. What lies before `_start` is done with, and let go at the next read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._buffer = b""
        self._at = 0
        self._start = 0
        self._ended = False
        self.tail = b""
        """The last bytes that were read, by which a dump says that it is complete."""

    def parts(self) -> Iterator[Statement | Copy | Command]:
        """All of it. Raises Failed where it can't be what pg_dump writes."""
        while True:
            self._skip()
            if not self._more(0):
                return
            if self._buffer[self._at : self._at + 1] == b"\\":
                yield self._command()
                continue
            try:
                text = self._statement()
            except _End:
                raise Failed(Why.UNREADABLE, "the dump ends within a statement: it was cut short") from None
            if _COPY.match(text):
                self._past(_LINE_END)
                self._start = self._at
                yield Copy(text, self._data())
            elif text:
                yield Statement(text)

    def _more(self, ahead: int) -> bool:
        """Whether there is a byte so far ahead, reading on where needed."""
        while len(self._buffer) <= self._at + ahead:
            if not self._read():
                return False
        return True

    def _read(self) -> bool:
        part = None if self._ended else next(self._chunks, None)
        if part is None:
            self._ended = True
            return False
        self.tail = (self.tail + part)[-TAIL:]
        self._buffer = self._buffer[self._start :] + part
        self._at -= self._start
        self._start = 0
        if len(self._buffer) > LONGEST + len(part):
            raise Failed(Why.CANNOT_TEST, "a statement of the dump is longer than is read")
        return True

    def _skip(self) -> None:
        """White space and comments between statements."""
        while True:
            self._start = self._at
            self._more(1)
            head = self._buffer[self._at : self._at + 2]
            if head == b"--":
                self._past(_LINE_END)
            elif head == b"/*":
                self._at += 2
                self._comment()
            elif (space := _SPACE.match(self._buffer, self._at)) is not None:
                self._at = space.end()
            else:
                return

    def _past(self, pattern: re.Pattern[bytes]) -> None:
        """Go behind the next match, or to the end."""
        try:
            self._find(pattern)
        except _End:
            self._at = len(self._buffer)

    def _find(self, pattern: re.Pattern[bytes]) -> bytes:
        """Go behind the next match. Raises _End."""
        while True:
            found = pattern.search(self._buffer, self._at)
            if found and (self._ended or found.end() + _CONTINUES < len(self._buffer)):
                self._at = found.end()
                return found[0]
            if self._ended:
                raise _End
            self._at = found.start() if found else max(self._at, len(self._buffer) - _CONTINUES)
            self._read()

    def _statement(self) -> bytes:
        """The text up to the semicolon."""
        self._start = self._at
        self._more(_CONTINUES)
        tokens = _TOKEN_IN_ROUTINE if _ROUTINE.match(self._buffer, self._at) else _TOKEN
        parentheses = begins = 0
        while True:
            token = self._token(tokens)
            if token == b";" and not parentheses and not begins:
                return self._buffer[self._start : self._at - 1].rstrip()
            if token == b"(":
                parentheses += 1
            elif token == b")":
                parentheses = max(0, parentheses - 1)
            elif token == b"\\":
                raise Failed(Why.UNREADABLE, "the dump holds a command for psql within a statement")
            else:
                begins += _deeper(token.lower(), begins)

    def _token(self, tokens: re.Pattern[bytes]) -> bytes:
        """The next thing that matters; quotes and comments are passed over."""
        token = self._find(tokens)
        if token == b"'":
            self._quoted()
        elif token == b'"':
            self._find(_NAME_QUOTE)
        elif token == b"--":
            self._past(_LINE_END)
        elif token == b"/*":
            self._comment()
        elif token[:1] == b"$":
            self._find(re.compile(re.escape(token)))
        return token

    def _quoted(self) -> None:
        """A text; only one that begins with E has escapes."""
        before = self._buffer[max(self._start, self._at - 3) : self._at - 1]
        pattern = _ESCAPED_QUOTE if _ESCAPES.search(before) else _PLAIN_QUOTE
        while self._find(pattern) != b"'":
            continue

    def _comment(self) -> None:
        """Comments in comments count."""
        depth = 1
        while depth:
            depth += 1 if self._find(_COMMENT) == b"/*" else -1

    def _command(self) -> Command:
        self._more(_CONTINUES)
        name = re.compile(rb"[a-z]*").match(self._buffer, self._at + 1)
        assert name is not None
        if name[0] not in COMMANDS:
            raise Failed(Why.UNREADABLE, "the dump holds a command for psql that pg_dump doesn't write")
        self._past(_LINE_END)
        return Command(name[0])

    def _data(self) -> Iterator[bytes]:
        if self._more(2) and self._buffer.startswith(b"\\.\n", self._at):
            self._at += 3
            return
        while (end := self._buffer.find(b"\n\\.\n", self._at)) < 0:
            kept = max(self._at, len(self._buffer) - 3)
            if kept > self._at:
                yield self._buffer[self._at : kept]
            self._start = self._at = kept
            if not self._read():
                raise Failed(Why.UNREADABLE, "the dump ends within the data of a table: it was cut short")
        yield self._buffer[self._at : end + 1]
        self._at = end + 4


def _deeper(word: bytes, begins: int) -> int:
    """How a word changes the depth of an SQL function's body."""
    if word == b"begin" or (word == b"case" and begins):
        return 1
    return -1 if word == b"end" and begins else 0
