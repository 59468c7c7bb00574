"""What the records need beside being written: signed heads, their copies, and that payloads expire."""

from __future__ import annotations

import datetime as dt

import structlog

from closewatch.core.config import Config
from closewatch.core.records import Store, StoreError
from closewatch.core.records.copies import bring_up_to_date
from closewatch.core.records.heads import KeyProblem, sign_due
from closewatch.core.secrets import SecretError

log = structlog.get_logger(__name__)

MONTH = 30.44 * 86_400


def housekeeping(config: Config, store: Store, now: float) -> list[str]:
    """Sign, copy, and forget what has expired. What fails is logged and given in words; the rest is done."""
    return [*keep_heads(config, store, now), *expire(config, store, now)]


def keep_heads(config: Config, store: Store, now: float) -> list[str]:
    """Sign the day that has ended, and bring the copies up to date."""
    settings, failed = config.records, []
    if settings is None:
        return []
    try:
        if settings.signing_key is not None:
            sign_due(store, settings.signing_key.read(), dt.datetime.fromtimestamp(now, dt.UTC))
    except (StoreError, SecretError, KeyProblem) as error:
        failed.append(f"signing_key: {error}" if not isinstance(error, StoreError) else str(error))
        log.error("heads_not_signed", why=str(error))  # noqa: TRY400 - in our own words
    try:
        for name, why in bring_up_to_date(store, settings.copiers()).items():
            failed.append(f"copy {name}: {why}")
            log.error("heads_not_copied", copy=name, why=why)
    except StoreError as error:
        failed.append(str(error))
        log.error("heads_not_copied", why=str(error))  # noqa: TRY400 - in our own words
    return failed


def expire(config: Config, store: Store, now: float) -> list[str]:
    """Forget the payloads that are older than they are to be kept."""
    if config.records is None:
        return []
    try:
        if gone := store.expire(now - config.records.keep_months * MONTH):
            log.info("payloads_expired", records=gone)
    except StoreError as error:
        log.error("payloads_not_expired", why=str(error))  # noqa: TRY400 - in our own words
        return [str(error)]
    return []
