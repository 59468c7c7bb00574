r"""Plain SQL, statement by statement: what psql would see, whatever the chunks in which it comes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from closewatch.restores.origins import script
from closewatch.restores.origins.script import Copy, Script
from closewatch.restores.why import Failed, Why

TEXT = rb"""--
-- a comment; with '
--
\restrict Abc123
SET x = 'a;b''c';
SELECT E'it\'s; \\', 'a\', e'\\''', "odd "";name";
/* a /* nested; */ comment */ CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $_$ BEGIN; 'x; $$ \! ls $a$ END; $_$;
CREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;
CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);
COPY public.t (a, "b;c") FROM stdin;
1	\N
\\.	;'"$$
2	-- no comment
\.

COPY public.empty (a) FROM stdin;
\.


SELECT a$b$c, $1 -- ; here
  + 1;
\unrestrict Abc123
-- PostgreSQL database dump complete
"""


def parts(data: bytes, size: int) -> list[tuple[str, bytes, bytes]]:
    chunks = (data[at : at + size] for at in range(0, len(data), size))
    return [
        (type(part).__name__, part[0], b"".join(part.data) if isinstance(part, Copy) else b"")
        for part in Script(chunks).parts()
    ]


def test_what_pg_dump_writes() -> None:
    found = parts(TEXT, 1 << 20)
    assert [kind for kind, _, _ in found] == ["Command", *["Statement"] * 5, "Copy", "Copy", "Statement", "Command"]
    assert found[0][1] == b"restrict"
    assert found[1][1] == b"SET x = 'a;b''c'"
    assert found[2][1].endswith(b'"odd "";name"')
    assert found[3][1].endswith(b"$_$")
    assert found[4][1].endswith(b"END")
    assert found[5][1].endswith(b"SELECT 2)")
    assert found[6][2] == b"1\t\\N\n\\\\.\t;'\"$$\n2\t-- no comment\n"
    assert found[7][2] == b""
    assert found[8][1].endswith(b"+ 1")


@given(st.integers(1, 400))
@settings(max_examples=150)
def test_chunks_do_not_matter(size: int) -> None:
    assert parts(TEXT, size) == parts(TEXT, 1 << 20)


@given(
    st.lists(st.sampled_from(["'a;b'", "E'a\\';b'", '"x;y"', "$q$;$q$", "-- ;\n", "/* ; */", "(1;2)", "x", " ", "+"]))
)
def test_a_semicolon_inside_ends_nothing(pieces: list[str]) -> None:
    body = " ".join(["SELECT", *pieces]).encode()
    found = parts(body + b" ; SELECT 'next';", 7)
    assert len(found) == 2
    assert found[1][1] == b"SELECT 'next'"


@pytest.mark.parametrize(
    "text",
    [rb"\! ls", rb"\copy t from x", rb"SELECT 1 \g x", rb"\o |sh", rb"\i /etc/passwd", rb"\Connect x", rb"\setenv A b"],
)
def test_psql_has_nothing_to_do_here(text: bytes) -> None:
    with pytest.raises(Failed) as failed:
        parts(text + b"\n;", 5)
    assert failed.value.why is Why.UNREADABLE


@pytest.mark.parametrize("end", [b"SELECT 'x", b"SELECT 1", b"SELECT $$ x", b"COPY t FROM stdin;\n1\n", b"SELECT /* x"])
def test_an_end_in_the_middle(end: bytes) -> None:
    with pytest.raises(Failed, match="cut short"):
        parts(b"SELECT 1;\n" + end, 3)


def test_a_statement_has_a_longest_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "LONGEST", 10_000)

    def endless() -> Iterator[bytes]:
        yield b"SELECT '"
        while True:
            yield b"x" * 1000

    with pytest.raises(Failed) as failed:
        list(Script(endless()).parts())
    assert failed.value.why is Why.CANNOT_TEST


def test_rows_may_be_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data are passed on, not collected."""
    monkeypatch.setattr(script, "LONGEST", 10_000)
    chunks = iter([b"COPY t FROM stdin;\n", *[b"x\n" * 4000] * 50, b"\\.\n"])
    (part,) = (sum(len(data) for data in part.data) for part in Script(chunks).parts() if isinstance(part, Copy))
    assert part == 50 * 8000
