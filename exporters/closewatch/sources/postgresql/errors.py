"""PostgreSQL's errors as reasons.

Statements carry their SQLSTATE. A refused connection does not: libpq gives only a text, in the server's language. The
English texts are recognised; for any other, one more attempt is made under libpq's trace, which shows the SQLSTATE,
and the reason is remembered for that text. Source: the PostgreSQL manual, appendix "Error Codes".
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from closewatch.core.reasons import Reason, Unavailable

_CODES = {
    "57014": Reason.TIMEOUT,  # query_canceled: statement_timeout
    "55P03": Reason.LOCKED,  # lock_not_available: lock_timeout
    "40P01": Reason.LOCKED,  # deadlock_detected
    "42501": Reason.PERMISSION,
    "42P01": Reason.MISSING,  # undefined_table
    "42703": Reason.MISSING,  # undefined_column
    "42883": Reason.MISSING,  # undefined_function
    "42704": Reason.MISSING,  # undefined_object
    "3F000": Reason.MISSING,  # invalid_schema_name
    "0A000": Reason.MISSING,  # feature_not_supported
    "3D000": Reason.DATABASE_MISSING,
    "28P01": Reason.AUTHENTICATION,
    "28000": Reason.AUTHENTICATION,
    "53300": Reason.TOO_MANY_CONNECTIONS,
    "57P03": Reason.STARTING,
    "57P01": Reason.SHUTTING_DOWN,
    "57P02": Reason.SHUTTING_DOWN,
    "57P04": Reason.DATABASE_MISSING,
    "57P05": Reason.CONNECTION_LOST,  # idle_session_timeout
    "25006": Reason.READ_ONLY_VIOLATION,
    "55000": Reason.STARTING,  # object_not_in_prerequisite_state: recovery in progress, and the like
}

_TEXTS: tuple[tuple[str, Reason], ...] = (
    (r"too many clients|remaining connection slots|too many connections for", Reason.TOO_MANY_CONNECTIONS),
    (r"no more connections allowed|client connections exceeded", Reason.TOO_MANY_CONNECTIONS),  # PgBouncer's
    (
        r"password authentication failed|no pg_hba\.conf entry|pg_hba\.conf rejects|no password supplied",
        Reason.AUTHENTICATION,
    ),
    (
        r"authentication failed|role \".*\" (does not exist|is not permitted)|authentication method requirement",
        Reason.AUTHENTICATION,
    ),
    (r"server requested .* authentication|FATAL:  (not allowed|no such user|login rejected)", Reason.AUTHENTICATION),
    (r"shutting down", Reason.SHUTTING_DOWN),
    (r"starting up|not yet accepting connections|not accepting connections|in recovery mode", Reason.STARTING),
    (r"database \".*\" does not exist|recently dropped or renamed", Reason.DATABASE_MISSING),
    (r"permission denied for database", Reason.PERMISSION),
    (r"SSL|certificate|TLS", Reason.TLS),
    (r"Connection refused|No such file or directory", Reason.REFUSED),
    (r"timed out|timeout expired", Reason.TIMEOUT),
    (r"No route to host|unreachable|could not translate host name", Reason.UNREACHABLE),
    (r"server closed the connection|Connection reset|Broken pipe|unexpected", Reason.CONNECTION_LOST),
    (r"expected authentication request|invalid response|received invalid", Reason.INVALID_ANSWER),
)
_PATTERNS = tuple((re.compile(pattern, re.DOTALL | re.IGNORECASE), reason) for pattern, reason in _TEXTS)
_learned: dict[bytes, Reason] = {}
_LEARNED_MAX = 500


def statement_reason(sqlstate: bytes | None) -> Unavailable:
    """Why a statement gave no rows; the SQLSTATE, never the text, is the detail."""
    code = (sqlstate or b"").decode(errors="replace")
    if code.startswith("08") or not code:
        return Unavailable(Reason.CONNECTION_LOST, f"SQLSTATE {code}" if code else "")
    return Unavailable(_CODES.get(code, Reason.SERVER_ERROR), f"SQLSTATE {code}")


def connect_reason(message: bytes, again: Callable[[int], None]) -> Unavailable:
    """Why a connection could not be made. `again` repeats the attempt with libpq's trace on a file descriptor."""
    text = message.decode(errors="replace")
    for pattern, reason in _PATTERNS:
        if pattern.search(text):
            return Unavailable(reason)
    if message not in _learned:
        if len(_learned) >= _LEARNED_MAX:
            _learned.clear()
        _learned[message] = _traced(again)
    return Unavailable(_learned[message])


def _traced(again: Callable[[int], None]) -> Reason:
    # The trace shows the login too, so it is kept in memory alone and only the code is taken from it.
    trace = os.memfd_create("trace")
    try:
        again(trace)
        found = re.findall(rb'ErrorResponse\t[^\n]* C "([0-9A-Z]{5})"', os.pread(trace, 65_536, 0))
    except Unavailable as failure:
        return failure.reason
    finally:
        os.close(trace)
    return _CODES.get(found[-1].decode(), Reason.SERVER_ERROR) if found else Reason.UNREACHABLE
