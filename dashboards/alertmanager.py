"""Alertmanager: which critical alerts are kept from people, and for how long."""

from __future__ import annotations

from dashboards.limits import limits
from dashboards.parts import TARGET, Limits, Panel, both, chart, query

NAME = "{{environment}} {{target}}"


def panels() -> list[Panel]:
    """What is silenced, what nobody was told of, and whether notifications arrive."""
    hidden = f"min by ({TARGET}, alert) ({both('closewatch_alertmanager_critical_silenced_since_timestamp_seconds')})"
    untold = f"min by ({TARGET}, alert) ({both('closewatch_alertmanager_critical_untold_since_timestamp_seconds')})"
    newest = f"max by ({TARGET}) ({both('closewatch_alertmanager_notifications_recorded_timestamp_seconds')})"
    silences = f"max by ({TARGET}, state) ({both('closewatch_alertmanager_silences')})"
    info = f"max by ({TARGET}, version, cluster) ({both('closewatch_alertmanager_info')})"
    return [
        chart(
            "Silenced critical alerts",
            "For how long each critical alert that fires has been silenced, by silences that followed each other.",
            "s",
            [query(f"time() - {hidden}", NAME + " {{alert}}")],
            none="No critical alert that fires is silenced.",
            limits=limits("critical_silence_seconds"),
        ),
        chart(
            "Critical alerts that nobody was told of",
            "For how long each should have been in a notification, and was in none that arrived here.",
            "s",
            [query(f"time() - {untold}", NAME + " {{alert}}")],
            none="Everybody was told, as far as it is known.",
            limits=Limits(alerts=("AlertmanagerCriticalUntold",)),
        ),
        chart(
            "Newest notification",
            "How long ago the newest notification was recorded. Nothing fires, or nothing arrives.",
            "s",
            [query(f"time() - {newest}", NAME)],
            none="No notification was ever recorded.",
            size=(8, 8),
        ),
        chart(
            "Silences",
            "Silences that hide something now (active) or will (pending). A number that only grows is a habit.",
            "none",
            [query(silences, NAME + " {{state}}")],
            size=(12, 8),
        ),
        chart(
            "Alertmanagers",
            "Which version answers, and how its cluster does. A member that stays settling doesn't find the others.",
            "none",
            [query(info, NAME + " {{version}} {{cluster}}")],
            none="No Alertmanager answers.",
            top=1,
            size=(12, 8),
        ),
    ]
