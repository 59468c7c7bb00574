"""S3's errors as reasons: the server's by their code or HTTP status, the client's by their class.

Source: Amazon S3's API reference, "Error responses"; botocore.exceptions.
"""

from __future__ import annotations

import re

from botocore import exceptions
from botocore.parsers import ResponseParserError

from closewatch.core.reasons import Reason, Unavailable

_CODES = {
    "AccessDenied": Reason.PERMISSION,
    "AllAccessDisabled": Reason.PERMISSION,
    "AccountProblem": Reason.PERMISSION,
    "InvalidObjectState": Reason.PERMISSION,
    "InvalidAccessKeyId": Reason.AUTHENTICATION,
    "SignatureDoesNotMatch": Reason.AUTHENTICATION,
    "ExpiredToken": Reason.AUTHENTICATION,
    "InvalidToken": Reason.AUTHENTICATION,
    "TokenRefreshRequired": Reason.AUTHENTICATION,
    "RequestTimeTooSkewed": Reason.CLOCK,
    "RequestExpired": Reason.CLOCK,
    "NoSuchBucket": Reason.NOT_FOUND,
    "PermanentRedirect": Reason.NOT_FOUND,
    "AuthorizationHeaderMalformed": Reason.NOT_FOUND,
    "SlowDown": Reason.THROTTLED,
    "Throttling": Reason.THROTTLED,
    "ThrottlingException": Reason.THROTTLED,
    "RequestLimitExceeded": Reason.THROTTLED,
    "TooManyRequests": Reason.THROTTLED,
    "RequestTimeout": Reason.TIMEOUT,
}
_STATUS = {
    401: Reason.AUTHENTICATION,
    403: Reason.PERMISSION,
    404: Reason.NOT_FOUND,
    408: Reason.TIMEOUT,
    429: Reason.THROTTLED,
}
# The first that fits: the more special come first.
_CLASSES: tuple[tuple[type[Exception], Reason], ...] = (
    (exceptions.SSLError, Reason.TLS),
    (exceptions.ConnectTimeoutError, Reason.TIMEOUT),
    (exceptions.ReadTimeoutError, Reason.TIMEOUT),
    (exceptions.ConnectionClosedError, Reason.CONNECTION_LOST),
    (exceptions.ResponseStreamingError, Reason.CONNECTION_LOST),
    (exceptions.IncompleteReadError, Reason.CONNECTION_LOST),
    (exceptions.EndpointConnectionError, Reason.UNREACHABLE),
    (exceptions.ProxyConnectionError, Reason.UNREACHABLE),
    (exceptions.HTTPClientError, Reason.CONNECTION_LOST),
    (exceptions.NoCredentialsError, Reason.AUTHENTICATION),
    (exceptions.PartialCredentialsError, Reason.AUTHENTICATION),
    (exceptions.CredentialRetrievalError, Reason.AUTHENTICATION),
    (exceptions.UnauthorizedSSOTokenError, Reason.AUTHENTICATION),
    (ResponseParserError, Reason.INVALID_ANSWER),
)


def of_server(code: str, status: int) -> Unavailable:
    """The reason of an error that the server answered."""
    reason = _CODES.get(code) or _STATUS.get(status) or Reason.SERVER_ERROR
    word = code if re.fullmatch(r"[A-Za-z0-9.]{1,60}", code) else "unknown"
    return Unavailable(reason, f"S3 answered {word}, HTTP {status}")


def of_client(error: Exception) -> Unavailable:
    """The reason of an error of the client's own: no connection, no credentials, no sense in the answer."""
    name = type(error).__name__
    if isinstance(error, exceptions.EndpointConnectionError) and "refused" in str(error.kwargs.get("error")):
        return Unavailable(Reason.REFUSED, name)
    reason = next((reason for kind, reason in _CLASSES if isinstance(error, kind)), Reason.ERROR)
    return Unavailable(reason, name)
