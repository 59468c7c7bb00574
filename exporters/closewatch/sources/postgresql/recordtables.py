"""The tables of records in PostgreSQL, as SQL for an administrator: who writes records must not own them.

The worker may add records, leases and heads, and let payloads expire; who exports them may only read. Nobody but the
owner can delete or change anything else, and the owner not by accident.
"""

from __future__ import annotations

from psycopg import sql

SCHEMA = "closewatch"
FORMAT = 1

_TABLES = f"""\
BEGIN;
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.format (version integer PRIMARY KEY);
INSERT INTO {SCHEMA}.format SELECT {FORMAT} WHERE NOT EXISTS (SELECT FROM {SCHEMA}.format);
CREATE TABLE IF NOT EXISTS {SCHEMA}.record (
    "check" text COLLATE "C" NOT NULL, kind text COLLATE "C" NOT NULL, target text COLLATE "C" NOT NULL,
    sequence integer NOT NULL, header text NOT NULL, payload text,
    "end" text COLLATE "C" NOT NULL GENERATED ALWAYS AS (header::jsonb ->> 'end') STORED,
    result text COLLATE "C" NOT NULL GENERATED ALWAYS AS (header::jsonb ->> 'result') STORED,
    PRIMARY KEY ("check", kind, target, sequence)
);
CREATE INDEX IF NOT EXISTS record_result ON {SCHEMA}.record ("check", kind, target, result, sequence);
CREATE INDEX IF NOT EXISTS record_payload ON {SCHEMA}.record ("end") WHERE payload IS NOT NULL;
CREATE TABLE IF NOT EXISTS {SCHEMA}.lease (
    "check" text COLLATE "C" NOT NULL, kind text COLLATE "C" NOT NULL, target text COLLATE "C" NOT NULL,
    owner text NOT NULL, until double precision NOT NULL, counter integer NOT NULL,
    PRIMARY KEY ("check", kind, target)
);
CREATE TABLE IF NOT EXISTS {SCHEMA}.head (
    day text COLLATE "C" PRIMARY KEY, document text NOT NULL, signature text NOT NULL
);
CREATE TABLE IF NOT EXISTS {SCHEMA}.copy (name text COLLATE "C" PRIMARY KEY, day text NOT NULL);
CREATE OR REPLACE FUNCTION {SCHEMA}.refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'append-only' USING ERRCODE = 'restrict_violation'; END $$;
"""  # noqa: S608 - no value in it
_TRIGGERS = {
    ("record", "stays"): "BEFORE DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT",
    ("record", "is_kept"): 'BEFORE UPDATE OF "check", kind, target, sequence, header ON {table} FOR EACH ROW',
    ("record", "payload_only_goes"): "BEFORE UPDATE OF payload ON {table} FOR EACH ROW WHEN (NEW.payload IS NOT NULL)",
    ("head", "stays"): "BEFORE DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT",
    ("head", "is_kept"): "BEFORE UPDATE ON {table} FOR EACH ROW",
}
_READS = """\
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};
"""
_WRITES = """\
GRANT INSERT ("check", kind, target, sequence, header, payload), UPDATE (payload) ON {schema}.record TO {role};
GRANT INSERT, UPDATE ON {schema}.lease, {schema}.copy TO {role};
GRANT INSERT ON {schema}.head TO {role};
"""


def script(worker: str, reader: str | None = None) -> str:
    """SQL that makes the tables where they aren't there, and gives the roles, which must be there, their rights."""
    parts = [_TABLES]
    for (table, name), when in _TRIGGERS.items():
        parts.append(f"DROP TRIGGER IF EXISTS {name} ON {SCHEMA}.{table};\n")
        what = when.format(table=f"{SCHEMA}.{table}")
        parts.append(f"CREATE TRIGGER {name} {what} EXECUTE FUNCTION {SCHEMA}.refuse();\n")
    parts.append(_READS.format(schema=SCHEMA, role=_name(worker)) + _WRITES.format(schema=SCHEMA, role=_name(worker)))
    if reader is not None and reader != worker:
        parts.append(_READS.format(schema=SCHEMA, role=_name(reader)))
    return "".join([*parts, "COMMIT;\n"])


def _name(role: str) -> str:
    return sql.Identifier(role).as_string(None)
