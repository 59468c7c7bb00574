"""The web configuration file, as Prometheus' exporter-toolkit has it: TLS, client certificates, basic auth, headers.

It is looked at again before each connection and request, by the marks of its files, so a rotated certificate or a
changed password works at once. A new file that is bad, or that would take protection away from a running server, is not
used: the old one stays, the log says why, and `ok` is false until it is repaired.
"""

from __future__ import annotations

import os
import re
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import structlog
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from closewatch.core.problems import ConfigError, Problem
from closewatch.core.settings import Model, NoEcho
from closewatch.core.validation import validate
from closewatch.core.web.tls import TlsServer, context
from closewatch.core.yamlfile import Document, read

log = structlog.get_logger(__name__)

_BCRYPT = re.compile(r"\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}")
_COSTS = range(4, 17)
_HEADER_VALUES: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
_Mark = tuple[int, int, int, int] | None


def _hash(text: str) -> str:
    match = _BCRYPT.fullmatch(text)
    if match is None:
        raise PydanticCustomError("bcrypt", "expected a bcrypt hash, as `htpasswd -nBC 10 NAME` writes it")
    if int(match[1]) not in _COSTS:
        words = f"the cost of the hash must be from {_COSTS[0]} to {_COSTS[-1]}; 10 is usual"
        raise PydanticCustomError("bcrypt", words)
    return text


def _user(name: str) -> str:
    if not name or ":" in name or not name.isprintable():
        raise PydanticCustomError("user", "expected a user name: printable, without a colon")
    return name


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name not in _HEADER_VALUES:
            raise ValueError(f'"{name}": allowed: {", ".join(_HEADER_VALUES)}')
        if not value.isascii() or not value.isprintable():
            raise ValueError(f'"{name}": expected plain text on one line')
        values = _HEADER_VALUES[name]
        if value and values and value.lower() not in values:
            raise ValueError(f'"{name}": allowed: {", ".join(values)}')
    return headers


UserName = Annotated[str, AfterValidator(_user)]
Hash = Annotated[str, NoEcho(), AfterValidator(_hash)]


class HttpServer(Model):
    """What all answers have in common."""

    http2: bool = Field(default=True, description="Accepted and ignored: closewatch speaks HTTP/1.1.")
    headers: Annotated[dict[str, str], AfterValidator(_headers)] = Field(
        default_factory=dict, description="Headers that all answers get."
    )


class WebFile(Model):
    """A web configuration file."""

    tls_server_config: TlsServer | None = Field(default=None, description="Serve by TLS.")
    http_server_config: HttpServer = Field(default=HttpServer(), description="Headers of all answers.")
    basic_auth_users: dict[UserName, Hash] = Field(default_factory=dict, description="Users with their bcrypt hashes.")


@dataclass(frozen=True, slots=True)
class WebSettings:
    """One state of the file, ready for use. Without a file: plain HTTP for everybody."""

    context: ssl.SSLContext | None = None
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    allowed_sans: tuple[str, ...] = ()
    certificate_required: bool = False

    def weaker_than(self, other: WebSettings) -> str:
        """The protection that `other` has and this state has not, in words; "" where there is none."""
        gone = {
            "tls_server_config": other.context is not None and self.context is None,
            "basic_auth_users": bool(other.users) and not self.users,
            "client_auth_type RequireAndVerifyClientCert": other.certificate_required and not self.certificate_required,
            "client_allowed_sans": bool(other.allowed_sans) and not self.allowed_sans,
        }
        return ", ".join(name for name, is_gone in gone.items() if is_gone)


class WebConfig:
    """The file as it is now. Raises ConfigError when it is bad at the start."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._ok = True
        self._settings = WebSettings()
        self._seen: Mapping[Path, _Mark] = {}
        if path is not None:
            self._settings = self._load(path)

    @property
    def ok(self) -> bool:
        """Whether the file as it is now is in use."""
        self.current()
        return self._ok

    def current(self) -> WebSettings:
        """What is in force. Reads the files again where they changed."""
        if self._path is not None and _marks(self._seen) != self._seen:
            with self._lock:
                if _marks(self._seen) != self._seen:
                    self._read_again(self._path)
        return self._settings

    def _read_again(self, path: Path) -> None:
        try:
            settings = self._load(path)
            if lost := settings.weaker_than(self._settings):
                message = f"{lost}: a running server doesn't take protection away; restart closewatch for that"
                raise ConfigError([Problem(path, 0, "", message)])  # noqa: TRY301 - one way out for all faults
        except ConfigError as error:
            self._ok = False
            for problem in error.problems:
                log.warning("web_config_problem", problem=str(problem), used="the last good one")
            return
        self._settings = settings
        self._ok = True
        log.info("web_config_loaded", path=str(path))

    def _load(self, path: Path) -> WebSettings:
        """Marks are taken before reading, of all files that are named: what changes meanwhile is seen the next time."""
        self._seen = _marks(tuple(self._seen) or (path,))
        made, document = _parse(path)
        files = made.tls_server_config.files if made.tls_server_config else ()
        self._seen = {**_marks(files), path: self._seen[path]}
        return _settings(made, document)


def load(path: Path) -> WebSettings:
    """The settings in a file. Raises ConfigError with all that is wrong."""
    return _settings(*_parse(path))


def _parse(path: Path) -> tuple[WebFile, Document]:
    document = read(path)
    made = validate(WebFile, document, (), document.data)
    if isinstance(made, list) or document.problems:
        raise ConfigError([*document.problems, *(made if isinstance(made, list) else [])])
    return made, document


def _settings(made: WebFile, document: Document) -> WebSettings:
    _note(made, document)
    tls = made.tls_server_config
    return WebSettings(
        context=context(tls, document) if tls else None,
        users=MappingProxyType(dict(made.basic_auth_users)),
        headers=MappingProxyType({name: value for name, value in made.http_server_config.headers.items() if value}),
        allowed_sans=tls.client_allowed_sans if tls else (),
        certificate_required=tls is not None and tls.required,
    )


def _note(made: WebFile, document: Document) -> None:
    """What is accepted for the sake of the common form, and has no effect here."""
    given = made.http_server_config.model_fields_set
    if "http2" in given and made.http_server_config.http2:
        log.info("web_config_note", note="http2 has no effect: closewatch speaks HTTP/1.1", path=str(document.path))
    if made.tls_server_config is not None and made.tls_server_config.curve_preferences:
        log.info("web_config_note", note="curve_preferences has no effect", path=str(document.path))


def _marks(paths: Mapping[Path, _Mark] | tuple[Path, ...]) -> dict[Path, _Mark]:
    return {path: _mark(path) for path in paths}


def _mark(path: Path) -> _Mark:
    """Changes when the file is written or replaced, also behind a symbolic link."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - once a request: Path.stat takes twice as long
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
