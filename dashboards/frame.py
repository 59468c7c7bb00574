"""What every dashboard has: variables, annotations, links, and rows of panels.

The variables go from the environment to the cell, the tenant and the target; `server` is hidden and holds the shared
targets (servers, caches) of what is chosen, as these have no tenant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import dashboard as db
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as dm

from dashboards.parts import DATASOURCE, RUNBOOKS, Panel, scoped


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
        last_over_time(closewatch_target_up{{{tenants}}}[$__range])
        or (last_over_time(closewatch_target_up{{{chosen},tenant=""}}[$__range])
        and on (environment, cell) last_over_time(closewatch_target_up{{{tenants},tenant!=""}}[$__range]))))"""
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
        _choice("target", "Target", "One watched thing, such as a PostgreSQL cluster or an Odoo database.", targets),
        _choice(
            "server",
            "Shared targets",
            "The shared targets of what is chosen.",
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


@dataclass(frozen=True)
class Page:
    """A dashboard. Its title's words are its uid and its file's name; `rows` are titles and what makes their panels."""

    title: str
    description: str
    rows: Sequence[tuple[str, Callable[[], list[Panel]]]]

    @property
    def uid(self) -> str:
        """By which it is linked."""
        return self.title.replace(" ", "-").lower()

    def build(self) -> dm.Dashboard:
        """The dashboard."""
        related = db.DashboardLink("closewatch").type(dm.DashboardLinkType.DASHBOARDS).tags(["closewatch"])
        dashboard = (
            db.Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags(["closewatch"])
            .readonly()
            .timezone("browser")
            .time("now-6h", "now")
            .refresh("30s")
            .tooltip(dm.DashboardCursorSync.CROSSHAIR)
            .link(related.as_dropdown(True).include_vars(True).keep_time(True))
            .annotations([_Annotation("Critical", "critical", "red"), _Annotation("Warning", "warning", "orange")])
            .variables(variables())
        )
        for title, panels in self.rows:
            dashboard.with_row(db.Row(title))
            for panel in panels():
                dashboard.with_panel(panel)
        return _number(dashboard.build())
