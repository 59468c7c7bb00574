"""docs/reference/configuration.md, from the JSON Schema that `closewatch schema` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from closewatch.kinds import json_schema
from tools.markdown import table

Schema = dict[str, Any]

INTRODUCTION = """# Configuration

One YAML file. `closewatch check FILE` says what is wrong in it, with file, line, key and what is allowed; `--connect`
also logs in to every target and prints the missing grants. `closewatch schema` prints the JSON Schema, for editors.
Unknown keys are refused. The file is read again on SIGHUP; one that has a fault leaves the old one in use and sets
`closewatch_config_last_reload_successful` to 0.
"""
_REF = "#/$defs/"


def render() -> str:
    """The whole page."""
    return render_schema(json_schema())


def render_schema(schema: Schema) -> str:
    """The page for a schema: the file first, then each kind of object in the order in which it is first named."""
    definitions: dict[str, Schema] = schema.get("$defs", {})
    parts = [INTRODUCTION, "## The file\n", *_properties(schema)]
    for name in _order(schema, definitions):
        definition = definitions[name]
        parts += [f"## {name}\n", *_description(definition)]
        parts += [*_properties(definition)] if "properties" in definition else [f"{_type(definition)}\n"]
    return "\n".join(parts).rstrip() + "\n"


def _description(definition: Schema) -> Iterator[str]:
    if text := definition.get("description"):
        yield " ".join(text.split()) + "\n"


def _properties(schema: Schema) -> Iterator[str]:
    required = set(schema.get("required", ()))
    rows = [
        (f"`{key}`", _type(value), "required" if key in required else _default(value), value.get("description", ""))
        for key, value in schema.get("properties", {}).items()
    ]
    return table(("key", "value", "default", "meaning"), rows)


def _default(value: Schema) -> str:
    """A group of settings has its defaults in its own table."""
    default = None if "$ref" in value and isinstance(value.get("default"), dict) else value.get("default")
    return f"`{json.dumps(default, ensure_ascii=False)}`" if default not in (None, [], {}) else ""


def _type(value: Schema) -> str:
    """What may be written there, in words."""
    if ref := value.get("$ref"):
        name = ref.removeprefix(_REF)
        return f"[{name}](#{name.lower()})"
    for combined in ("anyOf", "oneOf", "allOf"):
        if combined in value:
            return " or ".join(_type(one) for one in value[combined] if one.get("type") != "null")
    words = [value["const"]] if "const" in value else value.get("enum", [])
    return ", ".join(f"`{word}`" for word in words) or _plain_type(value)


def _plain_type(value: Schema) -> str:
    kind = value.get("type", "any")
    if kind == "array":
        return f"list of {_type(value.get('items', {}))}"
    if "properties" in value:
        return " ".join(f"`{key}: ...`" for key in value["properties"])
    if kind == "object":
        inner = [*value.get("patternProperties", {}).values(), value.get("additionalProperties")]
        return f"mapping to {_type(inner[0])}" if isinstance(inner[0], dict) else "mapping"
    return "path" if value.get("format") == "path" else str(kind)


def _order(schema: Schema, definitions: dict[str, Schema]) -> list[str]:
    """Names of the definitions, as a reader meets them."""
    order: list[str] = []
    waiting = _refs(schema.get("properties", {}))
    while waiting:
        name = waiting.pop(0)
        if name not in order:
            order.append(name)
            waiting += _refs(definitions[name])
    return order


def _refs(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"].removeprefix(_REF)] if isinstance(node.get("$ref"), str) else []
        return own + [name for key, value in node.items() if key != "$defs" for name in _refs(value)]
    return [name for item in node for name in _refs(item)] if isinstance(node, list) else []
