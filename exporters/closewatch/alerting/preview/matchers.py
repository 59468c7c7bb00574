"""Alertmanager's matchers: `severity="critical"`, `layer=~"cache|user"`, and the older `match` and `match_re`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Labels = Mapping[str, str]

_FORM = re.compile(
    r'\s*(?:"(?P<quoted>[^"]+)"|(?P<name>[A-Za-z_][\w]*))\s*(?P<op>=~|!~|!=|=)\s*(?P<value>.*?)\s*', re.DOTALL
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPES = {'\\"': '"', "\\\\": "\\", "\\n": "\n"}


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label; a label that is missing is the empty text."""

    name: str
    value: str
    pattern: re.Pattern[str] | None = None
    negated: bool = False

    def __call__(self, labels: Labels) -> bool:
        """Whether the labels meet it."""
        text = labels.get(self.name, "")
        met = text == self.value if self.pattern is None else self.pattern.fullmatch(text) is not None
        return met is not self.negated


def parse(text: str) -> Matcher:
    """A matcher from its text. Raises ValueError for what is none."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} is not a matcher such as severity="critical"')
    value = found["value"]
    if value.startswith('"'):
        quoted = _QUOTED.fullmatch(value)
        if quoted is None:
            raise ValueError(f"{text!r}: the quotes don't end")
        value = re.sub(r'\\["\\n]', lambda escape: _ESCAPES[escape[0]], quoted[1])
    return _made(found["quoted"] or found["name"], found["op"], value)


def conditions(node: Mapping[str, Any], prefix: str = "") -> tuple[Matcher, ...]:
    """The matchers of a route (`matchers`, `match`, `match_re`), or of a side of an inhibition by its prefix."""
    listed: Iterable[str] = node.get(f"{prefix}matchers") or ()
    if isinstance(listed, str):
        listed = [listed]
    made = [parse(part) for text in listed for part in _split(text)]
    made += [_made(name, "=", str(value)) for name, value in (node.get(f"{prefix}match") or {}).items()]
    made += [_made(name, "=~", str(value)) for name, value in (node.get(f"{prefix}match_re") or {}).items()]
    return tuple(made)


def _split(text: str) -> list[str]:
    """`{a="1", b="2"}` is two matchers; a comma inside of quotes parts nothing."""
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    parts = re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^,"])+', inner)
    return [part for part in parts if part.strip()]


def _made(name: str, operator: str, value: str) -> Matcher:
    pattern = None
    if operator.endswith("~"):
        try:
            pattern = re.compile(value)
        except re.error as error:
            raise ValueError(f"{name}: {value!r} is not a regular expression: {error}") from None
    return Matcher(name, value, pattern, operator.startswith("!"))
