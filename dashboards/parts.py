"""Panels, queries and variables in one house style, so that a dashboard reads as a list of questions.

Every panel has a title, a description that says what to make of it, a unit and a legend: the functions here don't allow
less. In queries `@server` and `@tenant` stand for the label matchers of what is chosen above (see SCOPES).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from grafana_foundation_sdk.builders import common as cb
from grafana_foundation_sdk.builders import dashboard as db
from grafana_foundation_sdk.builders import prometheus as pb
from grafana_foundation_sdk.builders import stat as sb
from grafana_foundation_sdk.builders import statetimeline as tlb
from grafana_foundation_sdk.builders import table as tb
from grafana_foundation_sdk.builders import timeseries as tsb
from grafana_foundation_sdk.models import common as cm
from grafana_foundation_sdk.models import dashboard as dm
from grafana_foundation_sdk.models import prometheus as pm

RUNBOOKS = "https://docs.closewatch.example/runbooks"
DATASOURCE = dm.DataSourceRef(type_val="prometheus", uid="${datasource}")
Panel = sb.Panel | tb.Panel | tlb.Panel | tsb.Panel

# What is chosen above a dashboard, as label matchers. A shared server has no `tenant`: choosing a tenant must show the
# servers that it lives on too, so servers are matched by the hidden variable `server`. An alert may lack any label.
SCOPES = {
    "@tenant": 'environment=~"$environment",cell=~"$cell",tenant=~"$tenant",target=~"$target"',
    "@server": 'environment=~"$environment",cell=~"$cell",target=~"$server"',
    "@alert": 'domain!="",environment=~"($environment)|",cell=~"($cell)|"',
}
# Two closewatch processes may watch the same target: it counts once.
TARGET = "environment, cell, tenant, target"

GREEN, YELLOW, ORANGE, RED, BLUE, CLEAR = "green", "yellow", "orange", "red", "blue", "transparent"


@dataclass(frozen=True)
class Column:
    """How one column of a table looks: its label or `Value #A` as `source`, and what people read as `title`."""

    source: str
    title: str
    unit: str = ""
    width: int = 0
    steps: tuple[tuple[float, str], ...] = ()
    texts: Mapping[str, tuple[str, str]] | None = None
    solid: bool = False
    link: tuple[str, str] | None = None

    def of(self, source: str) -> Column:
        """The same column, made of another source."""
        return replace(self, source=source)


@dataclass(frozen=True)
class Limits:
    """Colours from a value on, lowest first, and the alerts whose runbooks belong to them."""

    steps: tuple[tuple[float, str], ...] = ()
    alerts: tuple[str, ...] = ()

    def per(self, unit: float) -> Limits:
        """The same limits for a value that is shown in another unit."""
        return Limits(tuple((value / unit, color) for value, color in self.steps), self.alerts)

    def __or__(self, other: Limits) -> Limits:
        """Both: the lines of the first, the runbooks of all."""
        return Limits(self.steps or other.steps, (*self.alerts, *other.alerts))


NO_LIMITS = Limits()


def scoped(expr: str) -> str:
    """The query with its scopes filled in, on one line."""
    for name, matchers in SCOPES.items():
        expr = expr.replace(name, matchers)
    return " ".join(expr.split())


def query(expr: str, legend: str = "", *, ref: str = "A", table: bool = False, instant: bool = False) -> pb.Dataquery:
    """One PromQL query. Tables and single values ask for now only; charts ask for the range."""
    builder = pb.Dataquery().expr(scoped(expr)).ref_id(ref).datasource(DATASOURCE).editor_mode(pm.QueryEditorMode.CODE)
    builder = builder.legend_format(legend) if legend else builder
    builder = builder.instant() if table or instant else builder.range()
    return builder.format(pm.PromQueryFormat.TABLE if table else pm.PromQueryFormat.TIME_SERIES)


def thresholds(steps: Sequence[tuple[float, str]], base: str = GREEN) -> db.ThresholdsConfig:
    """Colours from a value on; below the first it is `base`."""
    rows = [dm.Threshold(value=None, color=base), *(dm.Threshold(value=value, color=color) for value, color in steps)]
    return db.ThresholdsConfig().mode(dm.ThresholdsMode.ABSOLUTE).steps(rows)


def texts(words: Mapping[str, tuple[str, str]]) -> dm.ValueMap:
    """Words (and a colour) for values that are names of a closed set."""
    results = {
        value: dm.ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(words.items())
    }
    return dm.ValueMap(options=results)


def both(metric: str, matchers: str = "") -> str:
    """A metric of every kind of target: of the chosen ones, and of the servers that they live on."""
    more = f",{matchers}" if matchers else ""
    return f"({metric}{{@tenant{more}}} or {metric}{{@server{more}}})"


def only(title: str) -> tuple[str, str]:
    """A link from a cell of the column of targets: the same dashboard with nothing else chosen."""
    url = "/d/${__dashboard.uid}?${__url_time_range}&${datasource:queryparam}"
    return title, url + "&var-environment=${__data.fields.Environment}&var-target=${__value.text}"


def runbook(alert: str) -> db.DashboardLink:
    """A link to an alert's runbook. Its base is the variable `runbooks`, which a chart or an operator replaces once."""
    url = "${runbooks}/" + alert
    return db.DashboardLink(f"Runbook: {alert}").type(dm.DashboardLinkType.LINK).url(url).target_blank(True)


def _finish(
    panel: Any, title: str, description: str, unit: str, *, size: tuple[int, int], alerts: Sequence[str] = ()
) -> None:
    """What every panel has. The runbooks of its alerts are links of the panel and of each of its values."""
    panel.title(title).description(description).unit(unit).datasource(DATASOURCE)
    panel.span(size[0]).height(size[1])
    if alerts:
        panel.links([runbook(alert) for alert in alerts]).data_links([runbook(alert) for alert in alerts])


def chart(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[pb.Dataquery],
    *,
    limits: Limits = NO_LIMITS,
    size: tuple[int, int] = (8, 8),
    stacked: bool = False,
    none: str = "",
    top: float | None = None,
) -> tsb.Panel:
    """A value over time, with the limits of its alerts as lines. `none` says what an empty panel means."""
    legend = cb.VizLegendOptions().display_mode(cm.LegendDisplayMode.TABLE).placement(cm.LegendPlacement.BOTTOM)
    legend = legend.show_legend(True).calcs(["lastNotNull", "max"]).sort_by("Last *").sort_desc(True)
    tooltip = cb.VizTooltipOptions().mode(cm.TooltipDisplayMode.MULTI).sort(cm.SortOrder.DESCENDING)
    palette = db.FieldColor().mode(dm.FieldColorModeId.PALETTE_CLASSIC)
    panel = tsb.Panel().legend(legend).tooltip(tooltip).color_scheme(palette).min(0).line_width(1).fill_opacity(10)
    panel = panel.show_points(cm.VisibilityMode.NEVER).draw_style(cm.GraphDrawStyle.LINE)
    _finish(panel, title, description, unit, size=size, alerts=limits.alerts)
    if top is not None:
        panel.axis_soft_max(top)
    if stacked:
        panel.stacking(cb.StackingConfig().mode(cm.StackingMode.NORMAL).group("A")).fill_opacity(40)
    if limits.steps:
        style = cb.GraphThresholdsStyleConfig().mode(cm.GraphTresholdsStyleMode.DASHED)  # the SDK's spelling
        panel.thresholds(thresholds(limits.steps, CLEAR)).thresholds_style(style)
    if none:
        panel.no_value(none)
    for item in queries:
        panel.with_target(item)
    return panel


def number(
    title: str,
    description: str,
    queries: Sequence[pb.Dataquery],
    *,
    steps: Sequence[tuple[float, str]],
    base: str = GREEN,
    size: tuple[int, int] = (3, 4),
    unit: str = "none",
    words: Mapping[str, tuple[str, str]] | None = None,
    plain: str = "",
) -> sb.Panel:
    """A figure on a coloured ground: green is nothing to do. Without data it says so, and is never green.

    `plain` names a query whose figure is there for comparison only, and takes no colour of a verdict.
    """
    reduce = cb.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
    panel = sb.Panel().reduce_options(reduce).color_mode(cm.BigValueColorMode.BACKGROUND)
    mode = cm.BigValueTextMode.VALUE_AND_NAME if plain else cm.BigValueTextMode.VALUE
    panel = panel.graph_mode(cm.BigValueGraphMode.NONE).text_mode(mode)
    panel = panel.thresholds(thresholds(steps, base)).no_value("No data")
    panel = panel.color_scheme(db.FieldColor().mode(dm.FieldColorModeId.THRESHOLDS))
    if words:
        panel = panel.mappings([texts(words)])
    if plain:
        neutral = dm.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": BLUE})
        panel = panel.override_by_query(plain, [neutral])
    _finish(panel, title, description, unit, size=size)
    for item in queries:
        panel.with_target(item)
    return panel


def timeline(
    title: str,
    description: str,
    queries: Sequence[pb.Dataquery],
    words: Mapping[str, tuple[str, str]],
    *,
    none: str,
    size: tuple[int, int] = (24, 6),
    alerts: Sequence[str] = (),
) -> tlb.Panel:
    """States over time, a line a thing."""
    legend = cb.VizLegendOptions().display_mode(cm.LegendDisplayMode.LIST).placement(cm.LegendPlacement.BOTTOM)
    panel = tlb.Panel().legend(legend.show_legend(True)).merge_values(True).row_height(0.8).fill_opacity(80)
    panel = panel.show_value(cm.VisibilityMode.NEVER).mappings([texts(words)]).no_value(none)
    _finish(panel, title, description, "none", size=size, alerts=alerts)
    for item in queries:
        panel.with_target(item)
    return panel


def table(
    title: str,
    description: str,
    queries: Sequence[pb.Dataquery],
    columns: Sequence[Column],
    *,
    none: str,
    hidden: Iterable[str] = (),
    sort: tuple[str, bool] | None = None,
    size: tuple[int, int] = (24, 8),
    alerts: Sequence[str] = (),
) -> tb.Panel:
    """A row a thing, made of several queries that share their labels. `none` says what an empty table means."""
    organize = {
        "excludeByName": dict.fromkeys(("Time", "__name__", *hidden), True),
        "indexByName": {column.source: index for index, column in enumerate(columns)},
        "renameByName": {column.source: column.title for column in columns},
    }
    panel = (
        tb.Panel()
        .color_scheme(db.FieldColor().mode(dm.FieldColorModeId.THRESHOLDS))
        .show_header(True)
        .cell_height(cm.TableCellHeight.SM)
        .no_value(none)
    )
    panel = panel.footer(cb.TableFooterOptions().show(False).reducer([]))
    if len(queries) > 1:
        panel = panel.with_transformation(dm.DataTransformerConfig(id_val="merge", options={}))
    panel = panel.with_transformation(dm.DataTransformerConfig(id_val="organize", options=organize))
    _finish(panel, title, description, "none", size=size)
    if alerts:
        panel.links([runbook(alert) for alert in alerts])
    if sort:
        panel.sort_by([cb.TableSortByFieldState().display_name(sort[0]).desc(sort[1])])
    for column in columns:
        properties = list(_properties(column))
        if properties:
            panel.override_by_name(column.title, properties)
    for item in queries:
        panel.with_target(item)
    return panel


def _properties(column: Column) -> Iterable[dm.DynamicConfigValue]:
    """The field overrides of a column."""
    if column.unit:
        yield dm.DynamicConfigValue(id_val="unit", value=column.unit)
    if column.width:
        yield dm.DynamicConfigValue(id_val="custom.width", value=column.width)
    if column.texts:
        yield dm.DynamicConfigValue(id_val="mappings", value=[texts(column.texts)])
    if column.steps:
        yield dm.DynamicConfigValue(id_val="thresholds", value=thresholds(column.steps, CLEAR).build())
    if column.steps or column.texts:
        ground = column.steps or column.solid
        cell = {"type": "color-background", "mode": "basic"} if ground else {"type": "color-text"}
        yield dm.DynamicConfigValue(id_val="custom.cellOptions", value=cell)
    if column.link:
        link = {"title": column.link[0], "url": column.link[1], "targetBlank": False}
        yield dm.DynamicConfigValue(id_val="links", value=[link])
