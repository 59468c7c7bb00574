"""Certificates: what ends soon, what clients refuse, what was renewed and isn't served, what can't be read."""

from __future__ import annotations

from dashboards.limits import limits
from dashboards.measures import YES_IS_GOOD
from dashboards.parts import CLEAR, RED, TARGET, Column, Limits, Panel, both, chart, query, table

PLACE = f"{TARGET}, source, certificate"
NAME = "{{environment}} {{target}} {{certificate}}"
MOST = 20  # lines of a chart: it shows what ends first
LONG_AGO = -1e10


def worst(metric: str, *labels: str, matchers: str = "") -> str:
    """The highest value by place, of shared targets and of tenants'."""
    return f"max by ({', '.join((PLACE, *labels))}) ({both(metric, matchers)})"


def left() -> str:
    """Seconds until the certificate ends; below 0 when it has."""
    return f"{worst('closewatch_certificate_not_after_timestamp_seconds')} - time()"


def share() -> str:
    """The share of the lifetime that is left."""
    ends, begins = (worst(f"closewatch_certificate_not_{word}_timestamp_seconds") for word in ("after", "before"))
    return f"({left()}) / ({ends} - {begins})"


def falling(check: str) -> tuple[tuple[float, str], ...]:
    """The colours of a value that is bad when it is low: each colour up to its limit, then none."""
    bounds = [LONG_AGO, *(value for value, _ in limits(check).steps)]
    return tuple(zip(bounds, [*(color for _, color in limits(check).steps), CLEAR], strict=True))


def panels() -> list[Panel]:
    """A line a certificate, then what is wrong with which, then how time goes on."""
    return [_certificates(), _problems(), *_charts()]


def _certificates() -> Panel:
    chain = f"{worst('closewatch_certificate_chain_not_after_timestamp_seconds')} - time()"
    columns = [
        Column("Value #A", "Ends in", unit="s", steps=falling("certificate_remaining_seconds"), width=110),
        Column(
            "Value #B", "Lifetime left", unit="percentunit", steps=falling("certificate_remaining_ratio"), width=105
        ),
        Column("Value #C", "Accepted", texts=YES_IS_GOOD, solid=True, width=90),
        Column("Value #D", "Is the stored one", texts=YES_IS_GOOD, solid=True, width=135),
        Column("Value #E", "Rest of chain ends in", unit="s", width=155),
    ]
    measured = (
        left(),
        share(),
        worst("closewatch_certificate_verified"),
        worst("closewatch_certificate_served_is_stored"),
        chain,
    )
    return table(
        "Certificates",
        "A line a certificate, what ends first on top. Only endpoints are verified and compared with a stored file.",
        [query(expr, ref=ref, table=True) for ref, expr in zip("ABCDE", measured, strict=True)],
        [
            Column("certificate", "Certificate"),
            *columns,
            Column("source", "Source", width=90),
            Column("target", "Target"),
            Column("tenant", "Tenant"),
            Column("cell", "Cell"),
            Column("environment", "Environment"),
        ],
        none="No certificates are watched here.",
        sort=("Ends in", False),
        size=(24, 12),
        alerts=("CertificateExpiring", "CertificateInvalid", "CertificateNotReloaded", "CertificateUnreadable"),
    )


def _problems() -> Panel:
    wrong, unread = (worst(f"closewatch_certificate_{what}", "reason") for what in ("problem", "unreadable"))
    return table(
        "What is wrong",
        "A line a problem, or a reason why a place can't be read. Weak keys and signatures and OCSP answers count as "
        "findings; any other problem makes clients refuse.",
        [query(f"{wrong} or {unread}", table=True)],
        [
            Column("certificate", "Certificate"),
            Column("reason", "Problem", width=180),
            Column("source", "Source", width=90),
            Column("target", "Target"),
            Column("tenant", "Tenant"),
            Column("cell", "Cell"),
            Column("environment", "Environment"),
        ],
        hidden=("Value",),
        none="Nothing is wrong, and everything can be read.",
        alerts=("CertificateInvalid", "CertificateUnreadable"),
    )


def _charts() -> list[Panel]:
    waits = f"clamp_min(time() - {worst('closewatch_certificate_stored_timestamp_seconds')}, 0)"
    staple = f"{worst('closewatch_certificate_staple_next_update_timestamp_seconds')} - time()"
    places = f"max by ({TARGET}, source) ({both('closewatch_certificate_places')})"
    omitted = f"max by ({TARGET}) ({both('closewatch_certificate_omitted_places')})"
    return [
        chart(
            "Share of the lifetime left",
            "Renewals begin at a third. The lines are the limits of a late and of a failed renewal.",
            "percentunit",
            [query(f"bottomk({MOST}, {share()})", NAME)],
            limits=limits("certificate_remaining_ratio"),
            none="No certificates are watched here.",
            top=1,
        ),
        chart(
            "Renewed and not served",
            "How long the file has held another certificate than the endpoint serves.",
            "s",
            [query(f"topk({MOST}, {waits})", NAME)],
            limits=limits("certificate_not_reloaded_seconds"),
            none="Every endpoint serves what its file holds.",
        ),
        chart(
            "OCSP answers hold for",
            "Of endpoints that send one along. Most certificates have none since 2025, and need none.",
            "s",
            [query(f"bottomk({MOST}, {staple})", NAME)],
            limits=Limits(((0, RED),)),
            none="No endpoint sends an OCSP answer.",
        ),
        chart(
            "Places",
            "What was looked at, and what is beyond a target's limit: its certificates end later than those shown.",
            "short",
            [query(places, "{{target}} {{source}}"), query(f"{omitted} > 0", "{{target}} not shown", ref="B")],
        ),
    ]
