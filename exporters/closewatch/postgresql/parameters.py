"""Does a setting risk the data, or leave no trace of who came in; and has one been changed?

    closewatch_postgresql_setting_unsafe{member="10.0.0.1:5432",setting="fsync"} 0
    closewatch_postgresql_settings_fingerprint{member="10.0.0.1:5432"} 2.1e+14
    closewatch_postgresql_settings_pending_restart{member="10.0.0.1:5432"} 1
    closewatch_postgresql_config_file_errors{member="10.0.0.1:5432"} 0

Each member has files of its own, so each is asked and carries `member`: a failover is no change. A setting is unsafe
where the server's value is, or where a role or a database has such a value of its own (ALTER ROLE ... SET). What
`access.accept` lists is left out. The fingerprint is of the values in `WATCHED`, and of those that roles and databases
have of their own. Two limits: log_connections is that of the time at which closewatch's session began, as the server
keeps it for a session's life; and errors in the files are shown where EXECUTE on pg_show_all_file_settings() is
granted, and else are absent.

Rights: pg_monitor; without it settings are missing from the list, and nothing is claimed. Cost: a pass over the
settings, 2 ms, and one reading of the files. Source: pg_settings, pg_db_role_setting, pg_show_all_file_settings().
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from closewatch.core.collectors import Answer, Collector, Memory, On
from closewatch.core.families import Gauge, Sample
from closewatch.core.targets import Target
from closewatch.postgresql.canonical import fingerprint
from closewatch.postgresql.rights import readable
from closewatch.sources.postgresql.query import Query

UNSAFE = Gauge(
    "closewatch_postgresql_setting_unsafe",
    "Whether a setting has a value that risks data or access to them (1), for the server or any role or database.",
    ("member", "setting"),
)
FINGERPRINT = Gauge(
    "closewatch_postgresql_settings_fingerprint",
    "A number that changes when a setting of durability, access, loaded code or the log does.",
    ("member",),
)
PENDING = Gauge(
    "closewatch_postgresql_settings_pending_restart",
    "Settings that were changed in the files and take effect only after a restart.",
    ("member",),
)
FILE_ERRORS = Gauge(
    "closewatch_postgresql_config_file_errors",
    "Lines of the configuration files that the server can't take; absent where it doesn't let closewatch ask.",
    ("member",),
)

_OFF = frozenset({"off", "false", "no", "0", "of", "f", "n", ""})
_ON = frozenset({"on", "true", "yes", "1", "t", "y"})


def _off(value: str) -> bool:
    return value.lower() in _OFF


def _on(value: str) -> bool:
    return value.lower() in _ON


def _old_tls(value: str) -> bool:
    return value.lower() in {"", "tlsv1", "tlsv1.1"}


def _md5(value: str) -> bool:
    return value.lower() == "md5"


RISKS: Mapping[str, Callable[[str], bool]] = {
    "fsync": _off,  # a crash of the machine may leave nothing usable
    "full_page_writes": _off,  # a crash may leave pages half written, and nobody notices
    "synchronous_commit": _off,  # what was confirmed to a user may be gone after a crash
    "ignore_checksum_failure": _on,  # damaged pages are used as if they were sound
    "zero_damaged_pages": _on,  # damaged pages become empty: bookings vanish
    "ssl": _off,  # passwords' hashes and the books are on the network in plain text
    "ssl_min_protocol_version": _old_tls,
    "password_encryption": _md5,  # new passwords are kept in a form that is as good as the password
    "log_connections": _off,  # nobody can tell afterwards who was in
    "allow_system_table_mods": _on,  # a superuser may change the catalogs themselves
}

WATCHED = (
    *RISKS,
    # What would be left of the data after a crash, and what leaves for the standbys and the archive.
    *("synchronous_standby_names", "wal_level", "archive_mode", "archive_command", "archive_library"),
    *("archive_timeout", "hot_standby_feedback", "max_slot_wal_keep_size", "wal_sync_method", "data_checksums"),
    # Who gets in, from where, and how well that is protected.
    *("listen_addresses", "hba_file", "ident_file", "ssl_ciphers", "ssl_ca_file", "ssl_crl_file", "ssl_cert_file"),
    *("ssl_key_file", "unix_socket_permissions", "db_user_namespace", "krb_server_keyfile", "row_security"),
    *("createrole_self_grant", "oauth_validator_libraries", "event_triggers"),
    # Whose code runs inside of the server.
    *("shared_preload_libraries", "session_preload_libraries", "local_preload_libraries", "dynamic_library_path"),
    *("extension_control_path", "jit_provider"),
    # What can be told afterwards.
    *("logging_collector", "log_destination", "log_directory", "log_filename", "log_file_mode", "log_statement"),
    *("log_disconnections", "log_line_prefix", "log_min_messages", "log_min_error_statement"),
    *("log_replication_commands", "pgaudit.log", "pgaudit.role", "pgaudit.log_catalog", "pgaudit.log_parameter"),
)
_NAMES = ", ".join(f"'{name}'" for name in WATCHED)

QUERY = Query(f"""
WITH known AS MATERIALIZED (
    SELECT name, setting, pending_restart FROM pg_catalog.pg_settings
), own AS (
    SELECT setdatabase::bigint AS database, setrole::bigint AS role,
           pg_catalog.split_part(pair, '=', 1) AS name,
           pg_catalog.substr(pair, pg_catalog.strpos(pair, '=') + 1) AS value
      FROM pg_catalog.pg_db_role_setting CROSS JOIN LATERAL pg_catalog.unnest(setconfig) AS pair
), value AS (
    SELECT NULL::bigint AS database, NULL::bigint AS role, name, setting AS value FROM known
    UNION ALL
    SELECT database, role, name, value FROM own
)
SELECT pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE') AS readable,
       (SELECT count(*) FROM known WHERE pending_restart) AS pending,
       name, value, database, role
  FROM value
 WHERE name IN ({_NAMES})
""")  # noqa: S608 - names of settings, written above

# A value that waits for a restart is in this list as an error too, and is counted as pending.
FILES = Query(
    """
SELECT count(*) AS errors
  FROM pg_catalog.pg_show_all_file_settings() AS line
  LEFT JOIN pg_catalog.pg_settings AS known ON known.name = line.name
 WHERE line.error IS NOT NULL AND known.pending_restart IS NOT TRUE
""",
    optional=True,
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """One row a value: the server's, or, with the number of a database or role (0 is any), their own."""
    member = answer.member
    facts: list[tuple[str, int, int, str]] = []
    unsafe: dict[str, bool] = {}
    pending = None
    for row in readable(answer):
        name, value = row["name"], row["value"] or ""
        own = row["database"] is not None
        facts.append((name, row["database"] if own else -1, row["role"] if own else -1, value))
        if name in RISKS:
            unsafe[name] = unsafe.get(name, False) or RISKS[name](value)
        pending = row["pending"]
    for name, found in unsafe.items():
        if name not in target.settings.access.accept:
            yield UNSAFE(found, member=member, setting=name)
    yield FINGERPRINT(fingerprint(sorted(facts)), member=member)
    yield PENDING(pending, member=member)
    yield FILE_ERRORS(answer.one("files").get("errors"), member=member)


PARAMETERS = Collector(
    "parameters",
    ask={"main": QUERY, "files": FILES},
    read=read,
    families=(UNSAFE, FINGERPRINT, PENDING, FILE_ERRORS),
    on=On.EACH,
    every=300.0,
    budget=0.6,
)
