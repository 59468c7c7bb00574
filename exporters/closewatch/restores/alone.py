"""The configuration of a server that nothing else can reach and that does nothing of its own accord."""

from __future__ import annotations

from collections.abc import Mapping

_FIXED = {
    "listen_addresses": "",
    "port": "5432",
    "archive_mode": "off",
    "archive_command": "",
    "archive_library": "",
    "restore_command": "",
    "primary_conninfo": "",
    "primary_slot_name": "",
    "shared_preload_libraries": "",
    "session_preload_libraries": "",
    "local_preload_libraries": "",
    "max_logical_replication_workers": "0",
    "ssl": "off",
    "autovacuum": "off",
    "jit": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "synchronous_standby_names": "",
    "hot_standby": "off",
    "event_triggers": "off",
    "wal_level": "replica",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_min_messages": "warning",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "lc_messages": "C",
    "restart_after_crash": "off",
    "shared_buffers": "64MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "30min",
}
_FROM = {"archive_library": 15, "event_triggers": 17}
"""Settings that older servers don't know, by the major version that brought them."""
_LEAST = {
    "max_connections": "max_connections setting",
    "max_worker_processes": "max_worker_processes setting",
    "max_wal_senders": "max_wal_senders setting",
    "max_prepared_transactions": "max_prepared_xacts setting",
    "max_locks_per_transaction": "max_locks_per_xact setting",
}
_OURS = 20
"""Connections of ours, and of programs that open several."""


def alone(major: int, control: Mapping[str, str]) -> dict[str, str]:
    """Lines of postgresql.conf; recovery wants the sizes that the control file names, as `pg_controldata` shows it."""
    found = {name: value for name, value in _FIXED.items() if major >= _FROM.get(name, 0)}
    found |= {name: control[shown] for name, shown in _LEAST.items() if shown in control}
    if int(found.get("max_connections", "0")) < _OURS:
        found["max_connections"] = str(_OURS)
    return found
