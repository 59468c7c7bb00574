"""Why something could not be asked: a closed set, so that it can be a label; and our own words for people.

What the watched server says in an error (its text, names in it) is hostile input and may hold personal data. It never
gets further than the code that reads it: an `Unavailable` carries a reason and, at most, a detail in our own words.
"""

from __future__ import annotations

import enum


class Reason(enum.StrEnum):
    """The value is the label `reason`; `words` say what it means and what to do about it."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    MISSING = "missing"
    DATABASE_MISSING = "database_missing"
    NOT_FOUND = "not_found"
    LOCKED = "locked"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    THROTTLED = "throttled"
    STARTING = "starting"
    SHUTTING_DOWN = "shutting_down"
    TLS = "tls"
    NO_PRIMARY = "no_primary"
    OVER_BUDGET = "over_budget"
    BUSY = "busy"
    CLOCK = "clock"
    READ_ONLY_VIOLATION = "read_only_violation"
    CONNECTION_LOST = "connection_lost"
    INVALID_ANSWER = "invalid_answer"
    SECRET = "secret"  # noqa: S105 - a word of the closed set
    RECORDS = "records"
    SERVER_ERROR = "server_error"
    ERROR = "error"

    @property
    def words(self) -> str:
        """What it means, for people."""
        return _WORDS[self]


_WORDS = {
    Reason.REFUSED: "nothing listens there: the connection was refused",
    Reason.UNREACHABLE: "no way to the host: name not found, no route, or the network is down",
    Reason.TIMEOUT: "no answer in time: hung, overloaded, or something between drops packets",
    Reason.AUTHENTICATION: "the login was refused: user, password, certificate, or no matching pg_hba.conf line",
    Reason.PERMISSION: "a right is missing: `closewatch check --connect` prints SQL grants; see the security guide",
    Reason.MISSING: "a table, column or function is not there: other version, upgrade in progress, or another database",
    Reason.NOT_FOUND: "the folder, file, bucket or program that the configuration names is not there",
    Reason.DATABASE_MISSING: "the database does not exist: dropped or renamed",
    Reason.LOCKED: "a lock is held or waited for, such as by an upgrade; closewatch doesn't queue behind it",
    Reason.TOO_MANY_CONNECTIONS: "no free connection: the server, role or database is at its limit",
    Reason.THROTTLED: "the service limits how often it is asked: it is asked again later",
    Reason.STARTING: "the server is starting up or recovering",
    Reason.SHUTTING_DOWN: "the server is shutting down, or ended the session",
    Reason.TLS: "the TLS handshake or the check of the certificate failed",
    Reason.NO_PRIMARY: "no member of the cluster accepts writes",
    Reason.OVER_BUDGET: "the collector ran over its time limit twice and is left out for a while",
    Reason.BUSY: "an earlier scrape of this target is still running, or all of its server's slots are taken",
    Reason.CLOCK: "the clocks differ too much for a signature to be valid: set this host's clock",
    Reason.READ_ONLY_VIOLATION: "a statement tried to write; the session is read-only",
    Reason.CONNECTION_LOST: "the connection broke before the answer was complete",
    Reason.INVALID_ANSWER: "the answer does not have the expected form",
    Reason.SECRET: "the password could not be read: see the log for the file or variable",
    Reason.RECORDS: "the record store can't be read: not there yet, no right, damaged, or its disk is full",
    Reason.SERVER_ERROR: "the server answered with an error of another kind; its code is in the log",
    Reason.ERROR: "a fault in closewatch itself: please report it with the log",
}


class Unavailable(Exception):
    """What was asked cannot be had. `reason` is one of the closed set; `detail` is in our own words, for the log."""

    def __init__(self, reason: Reason | str, detail: str = "") -> None:
        self.reason = Reason(reason)
        self.detail = detail
        super().__init__(f"{self.reason.value}: {detail}" if detail else self.reason.value)
