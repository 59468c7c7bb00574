"""Reads a YAML file into plain values and remembers the line of each, so that every later complaint can name it.

PyYAML's own loaders are not used beyond their event stream: composing recurses in C and ends the process at 200,000
opening brackets, constructing keeps the last of two equal keys in silence, and neither keeps lines. The tree is built
here from events, with limits: size of the file, depth, and number of values after aliases are expanded.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from closewatch.core.problems import ConfigError, Loc, Problem, key_path

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 40
MAX_VALUES = 500_000
_TOO_DEEP = f"YAML: nested too deeply; at most {MAX_DEPTH} levels are allowed"
_MAX_NUMBER = 100
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PREFIX = "tag:yaml.org,2002:"
_CORE_TAGS = {_PREFIX + name for name in ("str", "int", "float", "bool", "null", "seq", "map")}


@dataclass(slots=True)
class _Node:
    """A value of the file before aliases and merge keys are expanded. `key_line` is the line of its key."""

    line: int
    content: Any
    text: str | None = None
    key_line: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """A file's plain values, with their lines. `problems` are faults of form that don't end reading (a key twice)."""

    path: Path
    data: Any
    digest: str
    problems: tuple[Problem, ...] = ()
    lines: Mapping[Loc, int] = field(default_factory=dict)
    texts: Mapping[Loc, str] = field(default_factory=dict)

    def line(self, loc: Loc) -> int:
        """The line of a value's key; that of the nearest thing around it where there is no such value."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)

    def problem(self, loc: Loc, message: str) -> Problem:
        """A problem at this place of the file."""
        return Problem(self.path, self.line(loc), key_path(loc), message)


def read(path: Path) -> Document:
    """The document in a file. Raises ConfigError when it can't be read or is not YAML with a mapping at its top."""
    raw = read_bytes(path, MAX_BYTES)
    text = _decode(path, raw)
    builder = _Builder(path)
    try:
        root = builder.build(iter(yaml.parse(text, Loader=_Loader)))
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax_problem(path, text, error)]) from None
    except RecursionError:
        raise ConfigError([Problem(path, 0, "", "YAML: nested too deeply")]) from None
    if root is None or (root.content is None and root.text is not None):
        raise ConfigError([Problem(path, 0, "", "the file is empty; expected keys and values in YAML")])
    if not isinstance(root.content, dict):
        raise ConfigError([Problem(path, root.line, "", "expected a mapping (keys and values) at the top of the file")])
    flat = _Flattener(path)
    data = flat.plain(root, ())
    return Document(path, data, hashlib.sha256(raw).hexdigest(), tuple(builder.problems), flat.lines, flat.texts)


def read_bytes(path: Path, limit: int) -> bytes:
    """A file's content. Raises ConfigError with a reason in words, also when it is larger than the limit."""
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
            size = max(len(raw), os.fstat(file.fileno()).st_size)
    except FileNotFoundError:
        reason = "the file does not exist"
    except IsADirectoryError:
        reason = "is a directory; expected a file"
    except PermissionError:
        reason = "permission denied: the user that runs closewatch can't read this file"
    except (OSError, ValueError) as error:
        reason = f"can't be read: {getattr(error, 'strerror', None) or 'not a valid file name'}"
    else:
        if len(raw) <= limit:
            return raw
        reason = f"is too large: {size:,} bytes or more; at most {limit:,} are read; split it by `include`"
    raise ConfigError([Problem(path, 0, "", reason)]) from None


def _decode(path: Path, raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(path, line, "", "not UTF-8 text; save the file as UTF-8")]) from None
    bad = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if bad is None:
        return text
    line = text.count("\n", 0, bad.start()) + 1
    message = f"YAML: the control character U+{ord(bad.group()):04X} is not allowed"
    raise ConfigError([Problem(path, line, "", message)])


def _syntax_problem(path: Path, text: str, error: yaml.MarkedYAMLError) -> Problem:
    """The parser's own words and lines, never its excerpt: the line may hold a secret."""
    mark, begun = error.problem_mark or error.context_mark, error.context_mark
    line = mark.line + 1 if mark else 0
    if re.match(r" *\t", "".join(text.splitlines()[line - 1 : line])):
        return Problem(path, line, "", "YAML syntax: a tab in the indentation; use spaces")
    if "maximum nesting depth" in (error.problem or ""):  # libyaml 0.2.6 and newer look ahead, and give up first
        return Problem(path, line, "", _TOO_DEEP)
    message = f"YAML syntax: {error.problem or 'not valid'}"
    if error.context:
        message += f" {error.context}"
        if begun and begun.line + 1 != line:
            message += f" that begins in line {begun.line + 1}"
    return Problem(path, line, "", message)


class _Builder:
    """Builds the tree from events, and collects faults of form. Anchors are known only once complete: no cycles."""

    def __init__(self, path: Path) -> None:
        self.problems: list[Problem] = []
        self._path = path
        self._anchors: dict[str, _Node] = {}

    def build(self, events: Iterator[Any]) -> _Node | None:
        root: _Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                raise ConfigError([self._problem(event, (), "a second document (---); expected one a file")])
            if isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, ())
        return root

    def _problem(self, event: Any, loc: Loc, message: str) -> Problem:
        return Problem(self._path, event.start_mark.line + 1, key_path(loc), message)

    def _fault(self, event: Any, loc: Loc, message: str) -> None:
        self.problems.append(self._problem(event, loc, message))

    def _node(self, event: Any, events: Iterator[Any], loc: Loc) -> _Node:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                message = "YAML: no anchor (&) of this name comes before this alias (*); put a text in quotes"
                self._fault(event, loc, message)
                return _Node(line, None)
            return self._anchors[event.anchor]
        if len(loc) >= MAX_DEPTH:
            message = _TOO_DEEP
            raise ConfigError([self._problem(event, (), message)])
        if event.tag is not None and event.tag != "!" and event.tag not in _CORE_TAGS:
            self._fault(event, loc, "YAML: a tag (!) is not allowed here; put a text in quotes")
        if isinstance(event, yaml.ScalarEvent):
            node = _Node(line, _scalar(event), event.value)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = _Node(line, list(self._items(events, loc)))
        else:
            node = _Node(line, self._mapping(events, loc))
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _items(self, events: Iterator[Any], loc: Loc) -> Iterator[_Node]:
        for index, event in enumerate(events):
            if isinstance(event, yaml.SequenceEndEvent):
                return
            yield self._node(event, events, (*loc, index))

    def _mapping(self, events: Iterator[Any], loc: Loc) -> dict[str, _Node]:
        own: dict[str, _Node] = {}
        merged: list[_Node] = []
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event, events, (*loc, "?"))
            name = key.content if isinstance(key.content, str) else key.text
            value = self._node(next(events), events, (*loc, name or "?"))
            if name == "<<" and isinstance(event, yaml.ScalarEvent) and not event.style:
                merged.append(value)
            elif name is None or not isinstance(key.content, str):
                self._fault(event, loc, "a key here is not text; put it in quotes")
            elif name in own:
                self._fault(event, (*loc, name), f"this key is here twice; the first is in line {own[name].key_line}")
            else:
                own[name] = _Node(value.line, value.content, value.text, event.start_mark.line + 1)
        for value in merged:
            self._merge(value, own, loc)
        return own

    def _merge(self, value: _Node, own: dict[str, _Node], loc: Loc) -> None:
        for source in value.content if isinstance(value.content, list) else [value]:
            if isinstance(source.content, dict):
                for name, node in source.content.items():
                    own.setdefault(name, node)
            else:
                line = value.line
                message = "YAML: a merge key takes a mapping or a list of mappings"
                self.problems.append(Problem(self._path, line, key_path((*loc, "<<")), message))


def _scalar(event: Any) -> Any:
    """The value of a scalar. YAML 1.1's `no` and `on`, dates and numbers to base 60 stay text, as in YAML 1.2."""
    text: str = event.value
    tag = event.tag or (_implicit_tag(text) if event.implicit[0] else "")
    construct = _CONSTRUCTORS.get(tag.removeprefix(_PREFIX))
    if construct is None or ":" in text or len(text) > _MAX_NUMBER:
        return text
    try:
        return construct(yaml.ScalarNode(tag, text))
    except (ValueError, KeyError, IndexError):
        return text


def _implicit_tag(text: str) -> str:
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers.get(text[:1], ())
    return next((tag for tag, pattern in resolvers if pattern.match(text)), "")


def _boolean(node: Any) -> bool:
    """True or false; the words of YAML 1.1 (a tenant in Norway: `no`) are left as text. Raises ValueError."""
    return ("false", "true").index(node.value.lower()) == 1


_SAFE = yaml.constructor.SafeConstructor()
_CONSTRUCTORS: Mapping[str, Callable[[Any], Any]] = {
    "null": _SAFE.construct_yaml_null,
    "bool": _boolean,
    "int": _SAFE.construct_yaml_int,
    "float": _SAFE.construct_yaml_float,
}


class _Flattener:
    """Turns the tree into plain values, writing down where each stands; aliases are expanded, within a limit."""

    def __init__(self, path: Path) -> None:
        self.lines: dict[Loc, int] = {}
        self.texts: dict[Loc, str] = {}
        self._path = path

    def plain(self, node: _Node, loc: Loc) -> Any:
        if len(self.lines) >= MAX_VALUES or len(loc) > 2 * MAX_DEPTH:
            message = f"YAML: more than {MAX_VALUES:,} values after aliases are expanded, or nested too deeply"
            raise ConfigError([Problem(self._path, node.line, "", message)])
        self.lines[loc] = node.key_line or node.line
        if node.text is not None:
            self.texts[loc] = node.text
        if isinstance(node.content, list):
            return [self.plain(item, (*loc, index)) for index, item in enumerate(node.content)]
        if isinstance(node.content, dict):
            return {name: self.plain(item, (*loc, name)) for name, item in node.content.items()}
        return node.content
