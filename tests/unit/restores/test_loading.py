"""Which statements of a dump are done by whom, and which are left out."""

from __future__ import annotations

import pytest

from closewatch.restores.origins import archive, loading
from closewatch.restores.origins.loading import Extension, extension_of, refused, roles_of, schema_of
from closewatch.restores.origins.script import Statement
from closewatch.restores.why import Why


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        (b"ALTER TABLE public.x OWNER TO odoo", True),
        (b"GRANT ALL ON TABLE x TO y", True),
        (b"REVOKE ALL ON SCHEMA public FROM PUBLIC", True),
        (b"ALTER DEFAULT PRIVILEGES FOR ROLE a GRANT SELECT ON TABLES TO b", True),
        (b"CREATE DATABASE acme WITH TEMPLATE = template0", True),
        (b"ALTER DATABASE acme SET search_path TO 'x'", True),
        (b"CREATE SUBSCRIPTION s CONNECTION 'host=production' PUBLICATION p", True),
        (b"CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()", True),
        (b"CREATE USER MAPPING FOR odoo SERVER s OPTIONS (password 'x')", True),
        (b"COMMENT ON EXTENSION pg_trgm IS 'x'", True),
        (b"SET SESSION AUTHORIZATION postgres", True),
        (b"DROP TABLE IF EXISTS x", True),
        (b"ALTER TABLE ONLY x DROP CONSTRAINT IF EXISTS y", True),
        (b"SET default_tablespace = fast", True),
        (b"CREATE TABLE grants (a int)", False),
        (b"ALTER TABLE ONLY x ADD CONSTRAINT y PRIMARY KEY (id)", False),
        (b"CREATE TRIGGER t BEFORE INSERT ON x EXECUTE FUNCTION f()", False),
        (b"COMMENT ON TABLE x IS 'GRANT'", False),
        (b"SELECT pg_catalog.setval('x', 1)", False),
        (b"INSERT INTO x VALUES ('GRANT a TO b')", False),
    ],
)
def test_what_is_left_out(text: bytes, left_out: bool) -> None:
    assert bool(loading._LEFT_OUT.match(text)) is left_out


def test_what_is_made_beforehand() -> None:
    made = extension_of(Statement(b'CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA ext'))
    assert made == Extension("uuid-ossp", "ext")
    assert extension_of(Statement(b"CREATE TABLE extension (id int)")) is None
    assert schema_of(Statement(b'CREATE SCHEMA "a ""b"')) == 'a "b'
    assert roles_of(Statement(b"CREATE POLICY p ON t FOR SELECT TO a, \"B, c\" USING ((x = ' TO y'::text))")) == [
        "a",
        "B, c",
    ]
    assert roles_of(Statement(b"CREATE POLICY p ON t TO PUBLIC USING (true)")) == []
    assert roles_of(Statement(b"CREATE POLICY p ON t USING (true)")) == []


@pytest.mark.parametrize(
    ("sqlstate", "why"),
    [
        ("53100", Why.NO_SPACE),
        ("08006", Why.START_FAILED),
        ("57P01", Why.START_FAILED),
        ("42501", Why.CANNOT_TEST),
        ("23503", Why.CORRUPT),
        ("42601", Why.UNREADABLE),
    ],
)
def test_what_a_refusal_means(sqlstate: str, why: Why) -> None:
    assert refused(sqlstate).why is why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"pg_restore: error: unsupported version (1.16) in file header", Why.WRONG_VERSION),
        (b'ERROR:  could not extend file "base/1/2": No space left on device', Why.NO_SPACE),
        (b'ERROR:  permission denied to create extension "x"', Why.CANNOT_TEST),
        (b'ERROR:  insert or update on table "a" violates foreign key constraint "b"', Why.CORRUPT),
        (b"pg_restore: error: could not read from input file: end of file", Why.UNREADABLE),
    ],
)
def test_what_pg_restore_means(text: bytes, why: Why) -> None:
    assert archive.said(text).why is why
