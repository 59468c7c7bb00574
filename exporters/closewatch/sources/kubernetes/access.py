"""Where a Kubernetes API is and how to log in to it: from inside a cluster, or by a kubeconfig file.

A service account's token is rotated about hourly and a kubeconfig may be, so both are read anew for each operation.
What would weaken the login is refused, not ignored: plain HTTP, an unchecked certificate, programs (`exec`) that
would be run as us.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import yaml
from pydantic import Field, model_validator

from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.secrets import Secret, SecretError, remember
from closewatch.core.settings import ConfigPath, Model

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
MAX_BYTES = 1024 * 1024


class KubernetesLogin(Model):
    """How closewatch logs in to the Kubernetes API."""

    kubeconfig: ConfigPath | None = Field(
        None, description="A kubeconfig file. Default: the service account of the pod that closewatch runs in."
    )
    context: str | None = Field(
        None, min_length=1, max_length=253, description="The kubeconfig's context. Default: its current one."
    )

    @model_validator(mode="after")
    def _context_of_a_file(self) -> KubernetesLogin:
        if self.context is not None and self.kubeconfig is None:
            raise ValueError("context is one of a kubeconfig: name the file too")
        return self


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """A place and a login, for one operation. `prefix` comes before /api; `token` is empty for a client certificate."""

    host: str
    port: int
    prefix: str
    server_name: str
    tls: ssl.SSLContext
    token: str


def access(login: KubernetesLogin) -> Access:
    """The login as it is now. Raises Unavailable(secret), saying in our own words what can't be read or used."""
    try:
        return _in_cluster() if login.kubeconfig is None else _from_kubeconfig(login.kubeconfig, login.context)
    except SecretError as error:
        raise Unavailable(Reason.SECRET, str(error)) from None
    except ssl.SSLError:
        raise Unavailable(Reason.SECRET, "a certificate or key of the login is not PEM, or they don't fit") from None
    except OSError as error:
        raise Unavailable(Reason.SECRET, f"a file of the login can't be read: {error.strerror or 'no file'}") from None


def _in_cluster() -> Access:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not port.isdigit():
        _refuse("not in a pod: KUBERNETES_SERVICE_HOST is not set; name a kubeconfig")
    context = ssl.create_default_context(cafile=SERVICE_ACCOUNT / "ca.crt")
    token = Secret(file=SERVICE_ACCOUNT / "token").read()
    return Access(host, int(port), "", host, context, token)


def _from_kubeconfig(path: Path, name: str | None) -> Access:
    config = _mapping(_parsed(path), "the kubeconfig")
    context = _named(config, "contexts", "context", name or config.get("current-context"))
    cluster = _named(config, "clusters", "cluster", context.get("cluster"))
    user = _named(config, "users", "user", context.get("user"))
    for key in ("exec", "auth-provider", "username", "as"):
        if key in user:
            _refuse(f"the kubeconfig logs in by {key!r}; give closewatch a token or a client certificate")
    for key in ("insecure-skip-tls-verify", "proxy-url"):
        if cluster.get(key):
            _refuse(f"the kubeconfig has {key!r}, which closewatch doesn't use")
    place = urlsplit(str(cluster.get("server", "")))
    if place.scheme != "https" or not place.hostname:
        _refuse("the kubeconfig's server is not an https address")
    server_name = str(cluster.get("tls-server-name") or place.hostname)
    tls = _tls(path.parent, cluster, user)
    return Access(
        place.hostname, place.port or 443, place.path.rstrip("/"), server_name, tls, _token(path.parent, user)
    )


def _tls(folder: Path, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = _data(cluster, "certificate-authority-data")
    if authority is not None:
        context = ssl.create_default_context(cadata=authority.decode("ascii", "replace"))
    elif cluster.get("certificate-authority"):
        context = ssl.create_default_context(cafile=folder / str(cluster["certificate-authority"]))
    else:
        context = ssl.create_default_context()
    certificate, key = _data(user, "client-certificate-data"), _data(user, "client-key-data")
    if certificate is not None and key is not None:
        _load_pair(context, certificate + b"\n" + key)
    elif user.get("client-certificate") and user.get("client-key"):
        context.load_cert_chain(folder / str(user["client-certificate"]), folder / str(user["client-key"]))
    return context


def _load_pair(context: ssl.SSLContext, pem: bytes) -> None:
    """OpenSSL takes a client's key from a file only: one in memory, so that it is never on a disk."""
    handle = os.memfd_create("client")
    try:
        os.write(handle, pem)
        context.load_cert_chain(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


def _token(folder: Path, user: Mapping[str, Any]) -> str:
    if user.get("tokenFile"):
        return Secret(file=folder / str(user["tokenFile"])).read()
    token = str(user.get("token") or "")
    if not token.isascii() or not token.isprintable():
        _refuse("the kubeconfig's token holds characters that no token has")
    remember(token)
    return token


def _parsed(path: Path) -> Any:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            _refuse("the kubeconfig is not a file")
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        _refuse(f"the kubeconfig has more than {MAX_BYTES:,} bytes")
    try:
        found = yaml.safe_load(raw)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError):
        _refuse("the kubeconfig is not YAML")  # what YAML says would show its content
    return found


def _named(config: Mapping[str, Any], many: str, one: str, name: Any) -> Mapping[str, Any]:
    """The entry of that name: kubeconfig keeps lists of {name: ..., cluster: {...}}."""
    entries = config.get(many)
    named = [entry for entry in (entries if isinstance(entries, list) else ()) if isinstance(entry, dict)]
    found = next((entry for entry in named if name is not None and entry.get("name") == name), None)
    if found is None:
        _refuse(f"the kubeconfig has no such {one}, or names none")
    return _mapping(found.get(one), f"the kubeconfig's {one}")


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        _refuse(f"{what} is not a mapping")
    return value


def _data(settings: Mapping[str, Any], key: str) -> bytes | None:
    if not settings.get(key):
        return None
    try:
        return base64.b64decode(str(settings[key]), validate=True)
    except (binascii.Error, ValueError):
        _refuse(f"the kubeconfig's {key} is not base64")


def _refuse(detail: str) -> NoReturn:
    raise Unavailable(Reason.SECRET, detail) from None
