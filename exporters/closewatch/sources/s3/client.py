"""A client of S3, or of what speaks its language: where it is, how it logs in, how long it waits, what its errors mean.

Time-outs are on connecting and on each read; a caller runs this aside for the rest (see `sources.aside`). The server's
texts are never passed on: its error code is.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from botocore.session import Session

from closewatch.core.reasons import Reason, Unavailable
from closewatch.core.secrets import Secret, SecretError
from closewatch.sources.s3.errors import of_client, of_server

SLOWEST = 5.0
"""Seconds to wait for a connection, and for each read."""
_STUMBLES = (AttributeError, KeyError, TypeError, ValueError)
"""What the client, or we, make of an answer that has another form."""
ERRORS = (ClientError, BotoCoreError, ResponseParserError, *_STUMBLES)
# At their level "debug" these write the headers of requests, with tokens.
for _name in ("botocore", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Access:
    """Where a bucket is and how to log in; without keys, by the environment's own chain (files, role, instance)."""

    bucket: str
    prefix: str
    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: Secret | None = None
    session_token: Secret | None = None
    ca: str | None = None
    path_style: bool = False


def connect(session: Session, access: Access, *, unsigned: bool = False) -> Any:
    """A client with the secrets as they are now; `unsigned` asks as anybody would, without a login."""
    try:
        secret = access.secret_key.read() if access.secret_key and not unsigned else None
        token = access.session_token.read() if access.session_token and not unsigned else None
    except SecretError as error:
        raise Unavailable(Reason.SECRET, str(error)) from None
    return session.create_client(
        "s3",
        endpoint_url=access.endpoint,
        region_name=access.region or (session.get_config_variable("region") or "us-east-1"),
        aws_access_key_id=None if unsigned else access.access_key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        verify=access.ca,
        config=Config(
            signature_version=UNSIGNED if unsigned else "s3v4",
            connect_timeout=SLOWEST,
            read_timeout=SLOWEST,
            retries={"total_max_attempts": 2, "mode": "standard"},
            s3={"addressing_style": "path" if access.path_style else "auto"},
            # Older Ceph and MinIO refuse the checksums that newer clients send.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def code(error: Exception) -> str:
    """The server's error code; empty where it is not an error of the server's."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def status(error: Exception) -> int:
    """The HTTP status of an error of the server's, else 0."""
    if not isinstance(error, ClientError):
        return 0
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def unavailable(error: Exception) -> Unavailable:
    """Any of `ERRORS` as a reason."""
    if isinstance(error, ClientError):
        return of_server(code(error), status(error))
    if isinstance(error, _STUMBLES) and not isinstance(error, BotoCoreError):
        return Unavailable(Reason.INVALID_ANSWER, type(error).__name__)
    return of_client(error)
