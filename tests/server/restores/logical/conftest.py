"""A place for restored data, real dumps of a database with all sorts of things in it, and servers to load them into."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from closewatch.backups.found import Type
from closewatch.core.deadline import Deadline
from closewatch.engines.postgres import PostgresServer
from closewatch.restores.origins.files import Files
from closewatch.restores.scratch import Scratch
from closewatch.restores.server import Server
from closewatch.sources.folder import Folder
from tests.fixtures.servers import missing

ALL_SORTS = r"""
CREATE ROLE accountant; CREATE ROLE "Au dit;or"; CREATE ROLE clerk LOGIN;
CREATE EXTENSION pg_trgm;
CREATE SCHEMA tools AUTHORIZATION "Au dit;or";
CREATE EXTENSION btree_gin WITH SCHEMA tools;
CREATE TABLE move (id int PRIMARY KEY, name text NOT NULL, amount numeric, note text DEFAULT 'a;b\');
INSERT INTO move SELECT n, 'INV/' || n, n / 7.0, E'tab\there\nback\\slash; \\. ''quote'' $$'
FROM generate_series(1, 2000) AS n;
CREATE INDEX ON move USING gin (name gin_trgm_ops);
CREATE TABLE line (id int PRIMARY KEY, move int REFERENCES move, "odd "";name" text);
INSERT INTO line SELECT n, n, CASE WHEN n % 2 = 0 THEN NULL ELSE '\N' END FROM generate_series(1, 500) AS n;
CREATE TABLE empty (id int);
ALTER TABLE line OWNER TO accountant;
CREATE TABLE tools.box (id serial, data bytea DEFAULT '\x00ff');
INSERT INTO tools.box (data) VALUES ('\xdeadbeef'), (NULL);
ALTER TABLE tools.box OWNER TO clerk;
GRANT SELECT ON move TO clerk; ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO clerk;
CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN x > 0 THEN 2 * x ELSE 0 END; END;
CREATE FUNCTION spoken() RETURNS text LANGUAGE plpgsql AS $body$
BEGIN
  -- it's a comment; with \! and an ALTER TABLE move OWNER TO nobody;
  RETURN 'ALTER TABLE x OWNER TO y; $inner$ \connect';
END $body$;
CREATE VIEW seen AS SELECT id, name || E'\\ and ''so''' AS said FROM move WHERE name <> 'a\b';
CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM line;
COMMENT ON TABLE move IS 'it''s; a /* comment */ -- here';
ALTER TABLE move ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON move FOR SELECT TO clerk, "Au dit;or" USING (name <> 'x TO y');
CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watching ON ddl_command_end EXECUTE FUNCTION on_ddl();
CREATE PUBLICATION everything FOR ALL TABLES;
COMMENT ON EVENT TRIGGER watching IS 'x';
CREATE TYPE mood AS ENUM ('a;', 'b''');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
SELECT lo_from_bytea(0, 'a large object');
CREATE SEQUENCE counter; SELECT setval('counter', 42);
"""
FINGERPRINT = """
SELECT (SELECT md5(string_agg(m::text, '|' ORDER BY id)) FROM move m),
       (SELECT md5(string_agg(l::text, '|' ORDER BY id)) FROM line l),
       (SELECT string_agg(b::text, '|' ORDER BY id) FROM tools.box b), (SELECT n FROM counted), twice(21), spoken(),
       (SELECT md5(string_agg(said, '' ORDER BY id)) FROM seen), obj_description('move'::regclass),
       (SELECT string_agg(policyname || cmd, ',') FROM pg_policies), (SELECT count(*) FROM pg_largeobject),
       (SELECT last_value FROM counter), (SELECT string_agg(extname, ',' ORDER BY extname) FROM pg_extension),
       (SELECT string_agg(enumlabel, ',') FROM pg_enum)
"""
MINE = Path(os.environ.get("CLOSEWATCH_ENGINES", "/nonexistent"))


@dataclass
class Place:
    """A scratch folder, and servers in it by need."""

    scratch: Scratch
    stop: threading.Event
    started: list[Server] = field(default_factory=list)

    def server(self, major: int | None = None) -> Server:
        """The one server of this place."""
        if not self.started:
            server = Server.new(self.scratch, major)
            server.start()
            self.started.append(server)
        return self.started[0]

    def database(self, name: str) -> str:
        """A new, empty database."""
        with self.server().connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return name

    def row(self, database: str, question: str) -> Any:
        """The first row."""
        with self.server().connect(database) as connection:
            return connection.execute(question).fetchone()


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A short folder that any user may go through, as the programs of a test run as another than root."""
    with tempfile.TemporaryDirectory(prefix="cw-") as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


@pytest.fixture
def place(open_to_all: Path) -> Iterator[Place]:
    """A place of the test's own."""
    stop = threading.Event()
    parent = open_to_all / "scratch"
    parent.mkdir(mode=0o755)
    limits = {"disk": 2 * 1024**3, "deadline": Deadline.after(110), "stop": stop, "progress": lambda *_: None}
    with Scratch.create(parent, **limits) as scratch:
        made = Place(scratch, stop)
        try:
            yield made
        finally:
            for server in made.started:
                server.stop()
    assert list(parent.iterdir()) == []


@pytest.fixture
def scratch(place: Place) -> Scratch:
    return place.scratch


@dataclass(frozen=True)
class Source:
    """A database `acme` on a server, and its own pg_dump."""

    server: PostgresServer
    fingerprint: Any

    def dump(self, to: Path, *options: str, database: str = "acme") -> Path:
        """pg_dump to a file or folder."""
        program = self.server.binaries.program("pg_dump")
        environment = {**os.environ, "PGPASSWORD": self.server.password}
        command = [str(program), *options, "-f", str(to), self.server.dsn(database, password="")]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
        return to


@pytest.fixture(scope="session")
def acme(postgres_server: PostgresServer) -> Iterator[Source]:
    """All sorts of things, on each version at hand."""
    postgres_server.create_database("acme")
    postgres_server.sql("acme", ALL_SORTS)
    yield Source(postgres_server, postgres_server.sql("acme", FINGERPRINT)[0])
    postgres_server.drop_database("acme")
    for role in ("accountant", '"Au dit;or"', "clerk"):
        postgres_server.sql("postgres", f"DROP ROLE {role}")


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    """A folder with backups."""
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


def files(folder: Path, *types: Type, pattern: str = "*") -> Files:
    """What is good in a folder, however new."""
    return Files(Folder(folder, pattern), types or tuple(Type))


@pytest.fixture
def program(pytestconfig: pytest.Config) -> Callable[..., Path]:
    """Finds a program on PATH or among the engines; skips the test without, where that may be."""

    def find(name: str, *, optional: bool = False) -> Path:
        found = shutil.which(name, path=f"{os.environ['PATH']}:{MINE}")
        if found is None:
            words = f"{name} is not on PATH nor in the engines' folder"
            pytest.skip(words) if optional else missing(pytestconfig, words)
        return Path(found)

    return find
