"""Turns pydantic's errors into problems: file, line, key path, what was written, what is allowed instead.

A value is echoed only where it can't be a secret: neither in a field that holds one, nor under an unknown key (which
may be a misspelt `password`), nor a whole mapping or list.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from closewatch.core.problems import Loc, Problem, allowed, key_path, quoted
from closewatch.core.secrets import Secret
from closewatch.core.settings import LABEL_PATTERN, NoEcho
from closewatch.core.yamlfile import Document

M = TypeVar("M", bound=BaseModel)

_A_LIST = "expected a list"
_A_MAPPING = "expected a mapping (keys and values)"
_WORDS: Mapping[str, str] = {
    "missing": "is missing; this key is required",
    "string_type": "expected text",
    "path_type": "expected a path",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a finite number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "list_type": _A_LIST,
    "tuple_type": _A_LIST,
    "set_type": _A_LIST,
    "frozen_set_type": _A_LIST,
    "dict_type": _A_MAPPING,
    "mapping_type": _A_MAPPING,
    "model_type": _A_MAPPING,
    "model_attributes_type": _A_MAPPING,
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected {ge} or more",
    "less_than": "expected less than {lt}",
    "less_than_equal": "expected {le} or less",
    "too_short": "expected {min_length} or more entries",
    "too_long": "expected {max_length} entries or fewer",
    "string_too_short": "expected {min_length} or more characters",
    "string_too_long": "expected {max_length} characters or fewer",
}
_LABEL_WORDS = "expected 1 to 63 letters, digits, dots, hyphens or underscores, the first a letter or digit"


def validate(model: type[M], document: Document, loc: Loc, data: Any) -> M | list[Problem]:
    """The model of the data that stands at `loc`, or what is wrong with it."""
    try:
        return model.model_validate(data, context={"folder": document.path.parent})
    except ValidationError as error:
        found = [
            e for e in error.errors(include_url=False) if e["type"] != "default_factory_not_called"
        ]  # a consequence
        return [_problem(model, document, loc, data, e) for e in found]


def _problem(model: type[BaseModel], document: Document, prefix: Loc, data: Any, error: ErrorDetails) -> Problem:
    inner = tuple(part for part in error["loc"] if part != "[key]")
    loc = (*prefix, *_present(data, inner))
    around, _ = _annotation(model, inner[:-1])
    annotation, secret = _annotation(model, inner)
    line = document.line(loc)
    if error["type"] == "extra_forbidden":
        names = list(around.model_fields) if isinstance(around, type) and issubclass(around, BaseModel) else []
        return Problem(document.path, line, key_path(loc), f"unknown key; {allowed(names, str(inner[-1]))}")
    message = _message(error)
    echo = _echo(document, loc, error)
    if secret or annotation is Secret or echo is None:
        return Problem(document.path, line, key_path(loc), message)
    return Problem(document.path, line, key_path(loc), f"{echo}: {message}")


def _message(error: ErrorDetails) -> str:
    kind, context, given = error["type"], error.get("ctx", {}), error.get("input")
    if kind == "string_pattern_mismatch":
        pattern = context.get("pattern", "")
        return _LABEL_WORDS if pattern == LABEL_PATTERN else f"expected text that matches {pattern}"
    if kind in ("literal_error", "enum"):
        words = [word.strip("'\"") for word in str(context.get("expected", "")).replace(" or ", ", ").split(", ")]
        return f"not allowed; {allowed(words, str(given))}"
    if kind == "value_error":
        return str(context.get("error", error["msg"]))
    message = _WORDS[kind].format_map(context) if kind in _WORDS else error["msg"]
    if kind == "string_type" and isinstance(given, bool | int | float):
        message += "; put it in quotes"
    return message


def _echo(document: Document, loc: Loc, error: ErrorDetails) -> str | None:
    """What the user wrote, if it is short and about a value: `no`, not the `false` that YAML made of it."""
    given = error.get("input")
    if error["loc"] and error["loc"][-1] == "[key]":
        return quoted(str(given))
    if error["type"] == "missing" or (error["type"] == "value_error" and isinstance(given, str)):
        return None if error["type"] == "missing" else _unless_said(given, error)
    if given is None:
        return "no value"
    if isinstance(given, dict | list):
        return ("a mapping" if isinstance(given, dict) else "a list") if error["type"].endswith("_type") else None
    text = document.texts.get(loc, str(given))
    return quoted(text) if isinstance(given, str) else text[:40]


def _unless_said(given: Any, error: ErrorDetails) -> str | None:
    """The value, unless a validator's own message begins by quoting the part that is wrong."""
    said = str(error.get("ctx", {}).get("error", ""))
    return None if said.startswith('"') else quoted(str(given))


def _present(data: Any, loc: Loc) -> Loc:
    """The location without the parts that pydantic adds for the branches of a union."""
    found: list[str | int] = []
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        keys = data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
        if part in keys:
            data = data[part]
        elif not last or not isinstance(data, dict):
            continue
        found.append(part)
    return tuple(found)


def _annotation(annotation: Any, loc: Loc) -> tuple[Any, bool]:
    """The type that is declared at a location, and whether anything on the way is marked as secret."""
    secret = False
    for part in loc:
        annotation, marked = _bare(annotation)
        secret = secret or marked or annotation is Secret
        annotation = _inside(annotation, part)
    annotation, marked = _bare(annotation)
    return annotation, secret or marked or annotation is Secret


def _bare(annotation: Any) -> tuple[Any, bool]:
    """Without Annotated and None; of a real union, the one branch that is a model or a Secret."""
    secret = False
    while True:
        origin = typing.get_origin(annotation)
        if isinstance(annotation, FieldInfo):
            secret = secret or any(isinstance(mark, NoEcho) for mark in annotation.metadata)
            annotation = annotation.annotation
        elif origin is typing.Annotated:
            annotation, *marks = typing.get_args(annotation)
            secret = secret or any(isinstance(mark, NoEcho) for mark in marks)
        elif origin in (typing.Union, types.UnionType):
            branches = [branch for branch in typing.get_args(annotation) if branch is not type(None)]
            annotation = next((b for b in branches if b is Secret), branches[0])
        else:
            return annotation, secret


def _inside(annotation: Any, part: str | int) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.model_fields.get(str(part))
    arguments = typing.get_args(annotation)
    if not arguments:
        return None
    return arguments[-1] if isinstance(part, str) else arguments[0]


def secrets_of(value: Any, loc: Loc = ()) -> Iterator[tuple[Loc, Secret]]:
    """Every reference to a secret in a model, with its place."""
    if isinstance(value, Secret):
        yield loc, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_of(getattr(value, name), (*loc, name))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from secrets_of(item, (*loc, name))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from secrets_of(item, (*loc, index))
