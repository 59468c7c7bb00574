"""Why a place gave no certificate, and what is wrong with one: closed sets, so that they can be labels, with words.

What an endpoint, a file or OpenSSL says is never repeated. `Unreadable` carries one of these words, or one of
`core.reasons`, where that says it already (refused, timeout, permission).
"""

from __future__ import annotations

import enum

from closewatch.core.reasons import Reason


class Fault(enum.StrEnum):
    """Why a place gave no certificate; the value is the label `reason`. Beside these: the words of `Reason`."""

    GONE = "gone"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    TOO_LARGE = "too_large"
    UNKNOWN_KIND = "unknown_kind"
    NOT_A_FILE = "not_a_file"
    NO_CERTIFICATE = "no_certificate"
    MALFORMED = "malformed"
    PASSWORD = "password"  # noqa: S105 - a word of the closed set
    CIRCLE = "circle"
    CHANGING = "changing"
    IO_ERROR = "io_error"
    TOO_MANY_CERTIFICATES = "too_many_certificates"
    NOT_TLS = "not_tls"
    NO_TLS = "no_tls"
    HANDSHAKE = "handshake"
    NOT_REACHED = "not_reached"

    @property
    def words(self) -> str:
        """What it means, for people."""
        return _FAULTS[self]


class Problem(enum.StrEnum):
    """What is wrong with a certificate; the value is the label `reason`."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    CHAIN_EXPIRED = "chain_expired"
    SELF_SIGNED = "self_signed"
    UNKNOWN_ISSUER = "unknown_issuer"
    INCOMPLETE_CHAIN = "incomplete_chain"
    HOST_MISMATCH = "host_mismatch"
    NO_NAMES = "no_names"
    NOT_FOR_SERVERS = "not_for_servers"
    NOT_A_CA = "not_a_ca"
    BAD_SIGNATURE = "bad_signature"
    NAME_CONSTRAINTS = "name_constraints"
    REVOKED_BY_STAPLE = "revoked_by_staple"
    REFUSED = "refused"
    WEAK_KEY = "weak_key"
    WEAK_SIGNATURE = "weak_signature"
    MALFORMED_EXTENSION = "malformed_extension"
    CHAIN_ORDER = "chain_order"
    TOO_MANY_CERTIFICATES = "too_many_certificates"
    STAPLE_MISSING = "staple_missing"
    STAPLE_EXPIRED = "staple_expired"
    STAPLE_INVALID = "staple_invalid"

    @property
    def words(self) -> str:
        """What it means, for people."""
        return _PROBLEMS[self]

    @property
    def refusal(self) -> bool:
        """Whether a client that verifies refuses the certificate for it."""
        return self not in _BEARABLE


_BEARABLE = frozenset(
    {
        Problem.WEAK_KEY,
        Problem.WEAK_SIGNATURE,
        Problem.MALFORMED_EXTENSION,
        Problem.CHAIN_ORDER,
        Problem.TOO_MANY_CERTIFICATES,
        Problem.STAPLE_MISSING,
        Problem.STAPLE_EXPIRED,
        Problem.STAPLE_INVALID,
    }
)

_FAULTS = {
    Fault.GONE: "no such file or folder, or a link that leads nowhere",
    Fault.EMPTY: "the file is empty",
    Fault.TRUNCATED: "the end is missing: it was cut off, or is being written",
    Fault.TOO_LARGE: "larger than any certificate file: it is not read",
    Fault.UNKNOWN_KIND: "neither PEM nor DER nor PKCS#12 (such as a Java keystore, which is not read)",
    Fault.NOT_A_FILE: "a pipe, a device or a socket",
    Fault.NO_CERTIFICATE: "there is no certificate in it",
    Fault.MALFORMED: "it says that it is a certificate, and can't be read as one",
    Fault.PASSWORD: "the PKCS#12 file needs another password, or the password could not be read",
    Fault.CIRCLE: "the links lead in a circle",
    Fault.CHANGING: "the file changed while it was read, twice",
    Fault.IO_ERROR: "the disk, or the network file system, gave an error",
    Fault.TOO_MANY_CERTIFICATES: "more certificates than a client would take",
    Fault.NOT_TLS: "what answers doesn't speak the protocol that is configured",
    Fault.NO_TLS: "the server declines to encrypt",
    Fault.HANDSHAKE: "the server ended the TLS handshake, or no version and cipher is common to both",
    Fault.NOT_REACHED: "time was over before its turn came",
}

_PROBLEMS = {
    Problem.EXPIRED: "its last day is past",
    Problem.NOT_YET_VALID: "its first day is to come, or the clock is wrong",
    Problem.CHAIN_EXPIRED: "a certificate above it is past its last day, or before its first",
    Problem.SELF_SIGNED: "it is signed by itself and not trusted",
    Problem.UNKNOWN_ISSUER: "the authority that its chain leads to is not trusted",
    Problem.INCOMPLETE_CHAIN: "the server doesn't send the certificate between its own and the authority",
    Problem.HOST_MISMATCH: "it is for other names than the one that clients use",
    Problem.NO_NAMES: "it has no subject alternative names, and clients look at nothing else",
    Problem.NOT_FOR_SERVERS: "its extended key usage doesn't allow it for servers",
    Problem.NOT_A_CA: "a certificate above it may not sign others",
    Problem.BAD_SIGNATURE: "a signature in the chain is not good",
    Problem.NAME_CONSTRAINTS: "an authority above it may not sign for this name",
    Problem.REVOKED_BY_STAPLE: "the OCSP answer that the server sends says that it is revoked",
    Problem.REFUSED: "OpenSSL refuses the chain for another reason",
    Problem.WEAK_KEY: "the key is too short: RSA below 2048 bits, a curve below 224, or DSA",
    Problem.WEAK_SIGNATURE: "it is signed with SHA-1 or MD5",
    Problem.MALFORMED_EXTENSION: "one of its extensions can't be read",
    Problem.CHAIN_ORDER: "the certificates are not sent in order; some clients fail",
    Problem.TOO_MANY_CERTIFICATES: "more certificates are sent than any chain needs",
    Problem.STAPLE_MISSING: "it demands an OCSP answer (must-staple), and the server sends none",
    Problem.STAPLE_EXPIRED: "the OCSP answer that the server sends is past its next update",
    Problem.STAPLE_INVALID: "the OCSP answer that the server sends can't be read, or is about another certificate",
}


class Unreadable(Exception):
    """A place gave no certificate."""

    def __init__(self, reason: Fault | Reason) -> None:
        self.reason = reason
        super().__init__(reason.value)
