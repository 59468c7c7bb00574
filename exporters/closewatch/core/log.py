"""The log: structured lines on standard error, as JSON or for a terminal, with nothing secret in them.

Events of other libraries take the same way. A value is masked when its key names a secret, and wherever a secret
occurs that was read by `Secret.read`. What a watched system or a client said is cut and can't break a line or
steer a terminal.
"""

from __future__ import annotations

import logging
import math
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog

from closewatch.core.problems import printable, without_credentials
from closewatch.core.secrets import MASK, masked

FORMATS = ("json", "console")
LEVELS = ("debug", "info", "warning", "error")
MAX_LENGTH = 2_000
MAX_DEPTH = 6
_SECRET_KEY = re.compile(
    r"(^|[_.-])(password|passwd|pwd|passphrase|secret|token|api_?key|private_?key|credentials?|authorization|cookie|"
    r"conninfo|dsn)s?$",
    re.IGNORECASE,
)
_MULTILINE = ("exception", "stack")


def setup(style: str = "json", level: str = "info") -> None:
    """Send all events of this process to standard error. Raises ValueError for an unknown format or level."""
    if style not in FORMATS:
        raise ValueError(f"log format {style!r}: allowed: {', '.join(FORMATS)}")
    if level not in LEVELS:
        raise ValueError(f"log level {level!r}: allowed: {', '.join(LEVELS)}")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderer(style)],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.raiseExceptions = False  # a log that can't be written (a full disk, a closed pipe) ends nothing else
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _renderer(style: str) -> list[structlog.typing.Processor]:
    if style == "json":
        return [_ordered, structlog.processors.JSONRenderer(ensure_ascii=False, allow_nan=False)]
    colors = sys.stderr.isatty()
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain, timestamp_key="time")]


def _ordered(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """What a person looks for first comes first."""
    first = {key: event.pop(key) for key in ("time", "level", "logger", "event") if key in event}
    return {**first, **event}


def redact(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The event with secrets masked, and with texts cut and fit for one line; a traceback keeps its lines."""
    for key, value in event.items():
        if not key.startswith("_"):  # those are structlog's own
            event[key] = _lines(value) if key in _MULTILINE else _clean(key, value, 0)
    return event


def _clean(key: str, value: Any, depth: int) -> Any:
    if _SECRET_KEY.search(key):
        return MASK
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, Mapping) and depth < MAX_DEPTH:
        return {_text(name): _clean(str(name), item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth < MAX_DEPTH:
        return [_clean("", item, depth + 1) for item in value]
    return _text(value)


def _text(value: Any) -> str:
    text = without_credentials(masked(str(value)))
    if len(text) > MAX_LENGTH:
        text = text[:MAX_LENGTH] + "…"
    return printable(text)


def _lines(value: Any) -> str:
    return "\n".join(printable(line) for line in without_credentials(masked(str(value))).splitlines())
