"""What an expression gives, read from its syntax: which labels its result has, and where its thresholds come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import promql_parser as promql

KEY = ("environment", "tenant", "target")
COMPARISONS = {">", "<", ">=", "<=", "==", "!="}
THRESHOLD = "closewatch_threshold"
MANY_TO_ONE = str(promql.VectorMatchCardinality.ManyToOne)
ONE_TO_MANY = str(promql.VectorMatchCardinality.OneToMany)

Labels = frozenset[str]


class Unbounded(ValueError):
    """The labels of a result can't be told: they depend on who scrapes, or an exporter's restart changes them."""


@dataclass(frozen=True)
class Threshold:
    """A comparison with an override or a default. `default` is None where that is measured, not a number."""

    check: str
    severity: str
    default: float | None


def walk(expr: Any) -> Iterator[Any]:
    """The expression and all its parts."""
    yield expr
    for part in ("expr", "lhs", "rhs"):
        if getattr(expr, part, None) is not None:
            yield from walk(getattr(expr, part))
    for argument in getattr(expr, "args", ()):
        yield from walk(argument)


def bare(expr: Any) -> Any:
    """The expression without parentheses around it."""
    while isinstance(expr, promql.ParenExpr):
        expr = expr.expr
    return expr


def selectors(expr: Any) -> Iterator[Any]:
    """All vector selectors, those of ranges too."""
    for node in walk(expr):
        if isinstance(node, promql.VectorSelector):
            yield node
        elif isinstance(node, promql.MatrixSelector):
            yield node.vector_selector


def matchers(selector: Any) -> dict[str, str]:
    """The matchers as {label: operator and value}."""
    return {m.name: f"{str(m.op).removeprefix('MatchOp.')} {m.value}" for m in selector.matchers.matchers}


def is_scalar(expr: Any) -> bool:
    expr = bare(expr)
    if isinstance(expr, promql.BinaryExpr):
        return is_scalar(expr.lhs) and is_scalar(expr.rhs)
    return isinstance(expr, promql.NumberLiteral) or (isinstance(expr, promql.Call) and expr.func.name == "time")


def result_labels(expr: Any, recorded: Mapping[str, Labels]) -> Labels:
    """The labels that a result has, at most. Raises Unbounded where the syntax doesn't bound them."""
    expr = bare(expr)
    if isinstance(expr, promql.AggregateExpr):
        return _aggregated(expr, recorded)
    if isinstance(expr, promql.BinaryExpr):
        return _combined(expr, recorded)
    if isinstance(expr, promql.Call):
        labels = result_labels(next(arg for arg in expr.args if not is_scalar(arg)), recorded)
        return labels | {expr.args[1].val} if expr.func.name == "label_replace" else labels
    selector = expr.vector_selector if isinstance(expr, promql.MatrixSelector) else expr
    if isinstance(selector, promql.VectorSelector) and selector.name and selector.name in recorded:
        return recorded[selector.name]
    raise Unbounded(f"nothing bounds the labels of {expr}")


def _aggregated(expr: Any, recorded: Mapping[str, Labels]) -> Labels:
    named = frozenset(expr.modifier.labels) if expr.modifier is not None else frozenset()
    if expr.modifier is not None and str(expr.modifier.type).endswith("Without"):
        return result_labels(expr.expr, recorded) - named
    return named


def _combined(expr: Any, recorded: Mapping[str, Labels]) -> Labels:
    for one, other in ((expr.lhs, expr.rhs), (expr.rhs, expr.lhs)):
        if is_scalar(one):
            return result_labels(other, recorded)
    left = result_labels(expr.lhs, recorded)
    if str(expr.op) in {"and", "unless"}:
        return left
    right = result_labels(expr.rhs, recorded)
    if str(expr.op) == "or":
        return left | right
    card = str(expr.modifier.card) if expr.modifier is not None else ""
    if card == MANY_TO_ONE:
        return left | frozenset(expr.modifier.group_labels or ())
    if card == ONE_TO_MANY:
        return right
    matching = expr.modifier.matching if expr.modifier is not None else None
    return frozenset(matching.labels) if matching is not None else left


def thresholds(expr: Any, severity: str) -> Iterator[Threshold | str]:
    """The thresholds of an expression; a sentence for each one that hasn't the one form that is safe."""
    inside = 0
    for node in walk(expr):
        if isinstance(node, promql.BinaryExpr) and str(node.op) in COMPARISONS:
            limit = bare(node.rhs)
            if isinstance(limit, promql.BinaryExpr) and any(s.name == THRESHOLD for s in selectors(limit)):
                inside += sum(s.name == THRESHOLD for s in selectors(limit))
                yield _threshold(node, limit, severity)
    if inside != sum(s.name == THRESHOLD for s in selectors(expr)):
        yield f"{THRESHOLD} is used outside of a comparison with `override or default`"


def _threshold(comparison: Any, limit: Any, severity: str) -> Threshold | str:
    override, default = bare(limit.lhs), bare(limit.rhs)
    try:
        _matched(comparison, limit)
        check = _override(override, severity, ("max",) if ">" in str(comparison.op) else ("max", "min"))
        return Threshold(check, severity, default_of(default))
    except ValueError as error:
        return str(error)


def _matched(comparison: Any, limit: Any) -> None:
    """Raises ValueError where the comparison could fail with "many-to-many", or ignore an override."""
    card, matching = comparison.modifier.card, comparison.modifier.matching
    if str(card) != MANY_TO_ONE or tuple(matching.labels) != KEY or not str(matching).startswith("on"):
        raise ValueError(f"a threshold is matched by `on ({', '.join(KEY)}) group_left ()` and nothing else")
    if str(limit.op) != "or" or (limit.modifier is not None and limit.modifier.matching is not None):
        raise ValueError("a threshold is `override or default`, without on()")


def _override(override: Any, severity: str, operators: tuple[str, ...]) -> str:
    """The check of an override. Raises ValueError where it isn't collapsed, held and chosen as it must be."""
    if not _by_key(override) or str(override.op) not in operators:
        raise ValueError(f"an override is `max by ({', '.join(KEY)}) (...)`: rows with other labels must not survive")
    held = bare(override.expr)
    if not (
        isinstance(held, promql.Call) and held.func.name == "last_over_time" and str(held.args[0]).endswith("[1h]")
    ):
        raise ValueError("an override is held by last_over_time(...[1h]) while its exporter is gone")
    wanted = matchers(held.args[0].vector_selector)
    if set(wanted) != {"check", "severity"} or wanted["severity"] != f"Equal {severity}":
        raise ValueError(f'an override is selected by check and severity="{severity}", the rule\'s own')
    return wanted["check"].removeprefix("Equal ")


def default_of(default: Any) -> float | None:
    """The number of `0 * group by (...) (...) + number`; None for a default that is measured by the same labels."""
    if isinstance(default, promql.BinaryExpr) and str(default.op) == "+":
        zero: Any = bare(default.lhs)
        if (
            isinstance(default.rhs, promql.NumberLiteral)
            and isinstance(zero, promql.BinaryExpr)
            and str(zero.op) == "*"
            and getattr(zero.lhs, "val", None) == 0
            and _by_key(zero.rhs)
            and str(getattr(zero.rhs, "op", "")) == "group"
        ):
            return float(default.rhs.val)
    elif _by_key(default):
        return None
    raise ValueError(f"the default is `0 * group by ({', '.join(KEY)}) (...) + number`")


def _by_key(expr: Any) -> bool:
    if not isinstance(expr, promql.AggregateExpr) or expr.modifier is None:
        return False
    return tuple(expr.modifier.labels) == KEY and str(expr.modifier.type).endswith("By")


def literals(expr: Any) -> Iterator[float]:
    """The numbers of an expression that are not defaults of thresholds."""
    if isinstance(expr, promql.BinaryExpr) and str(expr.op) == "+":
        try:
            default_of(expr)
        except ValueError:
            pass
        else:
            yield from literals(bare(expr.lhs).rhs)
            return
    if isinstance(expr, promql.NumberLiteral):
        yield float(expr.val)
    for part in ("expr", "lhs", "rhs"):
        if getattr(expr, part, None) is not None:
            yield from literals(getattr(expr, part))
    for argument in getattr(expr, "args", ()):
        yield from literals(argument)
