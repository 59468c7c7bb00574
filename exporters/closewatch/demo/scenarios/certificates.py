"""Faults of certificates."""

from __future__ import annotations

from closewatch.demo.front import HOST_NAME, NAME
from closewatch.demo.judge import Expected, Told
from closewatch.demo.scenarios.scenario import LOWERED, SHARED, Repair, Scenario
from closewatch.demo.stack import Stack
from closewatch.demo.thresholds import Threshold
from closewatch.demo.watching import ENVIRONMENT

_FRONT = {**SHARED, "target": NAME, "layer": "ingress", "cause": ""}
_ENDPOINT = {**_FRONT, "source": "endpoint", "certificate": HOST_NAME}
_TICKET = "closewatch-ticket"
_DAYS_LEFT = 5


def _forget_renewal(stack: Stack) -> Repair:
    """The renewal has failed for weeks, and the certificate has five of its ninety days left."""
    stack.front.renew(stack.front.issue(left=_DAYS_LEFT))
    stack.front.reload()

    def repair() -> None:
        stack.front.renew(stack.front.issue())
        stack.front.reload()

    return repair


def _forget_reload(stack: Stack) -> Repair:
    """The renewal works, and nobody tells the server."""
    stack.front.renew(stack.front.issue())
    return stack.front.reload


def _cut_off_copy(stack: Stack) -> Repair:
    """A partner's certificate is copied, and the copy breaks off."""
    stack.front.cut_off()
    return stack.front.copy_again


SCENARIOS = (
    Scenario(
        "certificate-expiring",
        "a certificate was not renewed and has five days left",
        _forget_renewal,
        f'closewatch_certificate_not_after_timestamp_seconds{{target="{NAME}"}} - time() < {(_DAYS_LEFT + 1) * 86400}',
        Expected(Told("CertificateExpiring", "critical", labels=_ENDPOINT)),
        note="closewatch reads certificates every 30 seconds",
    ),
    Scenario(
        "certificate-not-reloaded",
        "a certificate was renewed in its file, and the server still serves the old one",
        _forget_reload,
        f'closewatch_certificate_served_is_stored{{target="{NAME}"}} == 0',
        Expected(Told("CertificateNotReloaded", "warning", _TICKET, _ENDPOINT)),
        note=LOWERED,
        lowered=(Threshold("certificate_not_reloaded_seconds", "warning", 5, ENVIRONMENT, "", NAME),),
    ),
    Scenario(
        "certificate-truncated",
        "the copy of a bank's certificate broke off half-way",
        _cut_off_copy,
        f'closewatch_certificate_unreadable{{target="{NAME}",reason="truncated"}} == 1',
        Expected(Told("CertificateUnreadable", "warning", _TICKET, _FRONT)),
    ),
)
