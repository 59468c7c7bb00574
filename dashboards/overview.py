"""One page for whoever is on call: what is wrong, where, since when, and what to do, from top to bottom.

The first screen answers without scrolling: what fires, what doesn't answer and why, what can't be measured.
Below it each concern has a row: a table with a line a target, coloured where it hurts, then the charts behind it.
"""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import dashboard as db
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as dm

from dashboards import glance, odoo, postgresql, watcher
from dashboards.parts import DATASOURCE, RUNBOOKS, UID, Panel, scoped


class _Alerts(dm.AnnotationQuery):
    """Alerts on the time axis. The SDK's type lacks what Prometheus annotations say of their text."""

    def to_json(self) -> dict[str, object]:
        """The annotation with its title and text."""
        wording = {"titleFormat": "{{alertname}}", "textFormat": "{{target}} {{tenant}}", "tagKeys": "severity,domain"}
        return super().to_json() | wording


class _Annotation(Builder[dm.AnnotationQuery]):
    """A builder of `_Alerts`, for the dashboard's list."""

    def __init__(self, name: str, severity: str, color: str) -> None:
        expr = scoped(f'ALERTS{{alertstate="firing",severity="{severity}",@alert}}')
        self._built = _Alerts(name=name, datasource=DATASOURCE, enable=True, icon_color=color, expr=expr)

    def build(self) -> dm.AnnotationQuery:
        """The annotation."""
        return self._built


def _choice(name: str, label: str, description: str, expr: str, regex: str = "", *, hidden: bool = False) -> Any:
    """A variable whose values come from Prometheus; all of them are chosen at first."""
    variable = db.QueryVariable(name).label(label).description(description).query(expr).datasource(DATASOURCE)
    variable = variable.refresh(dm.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(dm.VariableSort.ALPHABETICAL_ASC)
    variable = variable.multi(True).include_all(True).regex(regex)
    variable = variable.current(dm.VariableOption(selected=True, text=["All"], value=["$__all"]))
    # A hidden variable has no all value: "All" is then the list of what its query found, and so follows the others.
    return variable.hide(dm.VariableHide.HIDE_VARIABLE) if hidden else variable.all_value(".*")


def variables() -> list[Any]:
    """Environment, then cell, then tenant, then target: each offers what the ones before it leave."""
    chosen = 'environment=~"$environment",cell=~"$cell"'
    tenants = f'{chosen},tenant=~"$tenant",target=~"$target"'
    servers = f"""query_result(group by (target) (
        last_over_time(closewatch_target_up{{kind="postgresql",{tenants}}}[$__range])
        or (last_over_time(closewatch_target_up{{kind="postgresql",{chosen}}}[$__range])
        and on (environment, cell) last_over_time(closewatch_target_up{{kind="odoo",{tenants}}}[$__range]))))"""
    environments = "label_values(closewatch_target_up, environment)"
    cells = 'label_values(closewatch_target_up{environment=~"$environment"}, cell)'
    targets = f'label_values(closewatch_target_up{{{chosen},tenant=~"($tenant)|"}}, target)'
    return [
        db.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _choice("environment", "Environment", "Production, staging and so on.", environments),
        _choice("cell", "Cell", "The failure domain that tenants share, for example a database cluster.", cells),
        _choice(
            "tenant",
            "Tenant",
            "Whose it is. The servers that a tenant lives on stay in view.",
            f"label_values(closewatch_target_up{{{chosen}}}, tenant)",
        ),
        _choice("target", "Target", "One watched thing: a PostgreSQL cluster or an Odoo database.", targets),
        _choice(
            "server",
            "Server",
            "The PostgreSQL clusters of what is chosen.",
            scoped(servers),
            '/target="([^"]+)"/',
            hidden=True,
        ),
        db.ConstantVariable("runbooks").label("Runbooks").description("Where the runbooks are.").value(RUNBOOKS),
    ]


def _number(dashboard: dm.Dashboard) -> dm.Dashboard:
    """Give panels and rows unique ids; the SDK leaves that to us."""
    for identity, panel in enumerate(dashboard.panels or [], start=1):
        panel.id_val = identity
    return dashboard


def build() -> dm.Dashboard:
    """The dashboard."""
    related = db.DashboardLink("closewatch").type(dm.DashboardLinkType.DASHBOARDS).tags(["closewatch"])
    dashboard = (
        db.Dashboard("closewatch overview")
        .uid(UID)
        .description("What is wrong, where, since when, and what to do. Red and orange first, charts below.")
        .tags(["closewatch"])
        .readonly()
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(dm.DashboardCursorSync.CROSSHAIR)
        .link(related.as_dropdown(True).include_vars(True).keep_time(True))
        .annotations([_Annotation("Critical alerts", "critical", "red"), _Annotation("Warnings", "warning", "orange")])
        .variables(variables())
    )
    rows: list[tuple[str, list[Panel]]] = [
        ("What is wrong", glance.panels()),
        ("PostgreSQL", postgresql.panels()),
        ("Odoo", odoo.panels()),
        ("closewatch itself", watcher.panels()),
    ]
    for title, panels in rows:
        dashboard.with_row(db.Row(title))
        for panel in panels:
            dashboard.with_panel(panel)
    return _number(dashboard.build())
