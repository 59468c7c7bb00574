"""Copies of the signed heads, where this host can't delete them: a mounted folder, a syslog elsewhere; or a bucket.

A copy that fails is tried again the next time; which day each has reached is kept in the store.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import platform
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from closewatch.core.records.record import digest
from closewatch.core.records.store import Store

SECONDS = 10.0
LARGEST = 64 * 1024 * 1024
FACILITY_AUDIT_NOTICE = 13 * 8 + 5
Copy = Callable[[str, str, str], None]
"""Takes day, document, signature. It, and what makes it, may raise OSError or CopyError."""


class CopyError(Exception):
    """A copy that could not be made, in our own words."""


def bring_up_to_date(store: Store, copiers: Mapping[str, Callable[[], Copy]]) -> dict[str, str]:
    """Give each copy the days that it lacks; what failed, by the copy's name, in words."""
    failed = {}
    reached = store.copies()
    for name, make in copiers.items():
        for document, signature in store.heads(reached.get(name, "")):
            day = str(json.loads(document)["day"])
            try:
                make()(day, document, signature)
            except (OSError, CopyError) as error:
                failed[name] = getattr(error, "strerror", None) or str(error) or type(error).__name__
                break
            store.copied(name, day)
    return failed


def in_folder(folder: Path) -> list[tuple[str, str]]:
    """The signed heads of a copy in a folder, as `to_folder` left them, the oldest first. Raises CopyError."""
    found = []
    try:
        for path in sorted(folder.glob("????-??-??.json")):
            signature = path.with_suffix(".sig")
            if path.stat().st_size > LARGEST:
                raise CopyError(f"{path.name} is too large for signed heads")
            text = signature.read_text(encoding="utf-8").strip() if signature.exists() else ""
            found.append((path.read_text(encoding="utf-8"), text))
    except OSError as error:
        raise CopyError(error.strerror or type(error).__name__) from None
    except UnicodeError:
        raise CopyError(f"{path.name} is no text") from None
    if not found:
        raise CopyError("there are no signed heads (DAY.json and DAY.sig)")
    return found


def to_folder(folder: Path) -> Copy:
    """Two files a day, never overwritten: DAY.json and DAY.sig."""

    def copy(day: str, document: str, signature: str) -> None:
        for name, text in ((f"{day}.json", document), (f"{day}.sig", signature + "\n")):
            path = folder / name
            with contextlib.suppress(FileNotFoundError):
                if path.read_text(encoding="utf-8") == text:
                    continue
                raise CopyError(f"{name} is there already, and is another")
            making = folder / f".{name}.new"
            with making.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            making.rename(path)

    return copy


def to_syslog(host: str, port: int, *, tcp: bool) -> Copy:
    """One message a day (RFC 5424): the document's SHA-256 and its signature. By TCP it is known to have been sent."""

    def copy(day: str, document: str, signature: str) -> None:
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        header = f"<{FACILITY_AUDIT_NOTICE}>1 {now} {platform.node() or '-'} closewatch {os.getpid()} heads -"
        message = f"{header} day={day} sha256={digest(document)} signature={signature}".encode()
        if tcp:
            with socket.create_connection((host, port), SECONDS) as connection:
                connection.sendall(str(len(message)).encode() + b" " + message)
            return
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as connection:
            connection.settimeout(SECONDS)
            connection.sendto(message, address)

    return copy
