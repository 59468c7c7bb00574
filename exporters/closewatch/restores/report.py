"""What a restore test found, for people: as text for a terminal, and as a page that stands on its own."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

from closewatch.core.problems import printable
from closewatch.core.records import Record
from closewatch.restores.run import duration, summary
from closewatch.restores.why import Why

_TITLES = {
    "rta": "until usable",
    "total": "in all",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}"
    "h1{font-size:1.4rem}table{border-collapse:collapse;width:100%;margin:1rem 0}"
    "td,th{border-bottom:1px solid #ddd;padding:.3rem .6rem;text-align:left;vertical-align:top}"
    ".passed{color:#146c2e}.failed,.unknown{color:#b3261e}th{width:16rem;font-weight:600}"
)


def rows(record: Record) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Sections, each with lines of a name and a text."""
    payload = record.payload
    yield "Result", list(_result(record))
    yield "Backup", list(_backup(payload))
    phases = payload.get("phases_ms", {})
    yield "Phases", [(_TITLES.get(name, name), duration(took)) for name, took in phases.items()]
    yield "Objectives", list(_objectives(payload))
    yield "Looked at", list(_looked_at(payload))
    ran = payload.get("ran_on", {})
    yield (
        "Where",
        [
            ("host", str(ran.get("host", ""))),
            ("segregated from production", str(ran.get("segregated", "unknown"))),
            ("restored data removed", "yes" if payload.get("deleted") else "NO"),
        ],
    )


def _result(record: Record) -> Iterator[tuple[str, str]]:
    header, payload = record.header, record.payload
    yield "plan", str(header["target"])
    yield "result", record.result
    if record.reason is not None:
        yield "reason", record.reason + (f": {Why(record.reason).words}" if record.reason in set(Why) else "")
    for line in payload.get("wrong", ()):
        yield "", line
    if record.result == "passed":
        yield "in a sentence", f"{payload.get('database') or 'the cluster'} {summary(payload)}"
    yield "from", str(header["start"])
    yield "to", str(header["end"])
    yield "record", f"{header['check']} {header['target']} {header['sequence']}"


def _backup(payload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "origin", str(payload.get("origin"))
    backup = payload.get("backup") or {}
    for name in ("id", "done", "size", "major"):
        if backup.get(name) is not None:
            yield name, str(backup[name])
    for name, value in (backup.get("about") or {}).items():
        yield name, str(value)
    yield "recovered to", str(payload.get("point") or "not recovered")


def _objectives(payload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    objectives = payload.get("objectives_ms", {})
    reached = {"rto": payload.get("phases_ms", {}).get("rta"), "rpo": payload.get("data_loss_ms")}
    for name, title in (("rto", "time to restore"), ("rpo", "data loss window")):
        wanted, got = objectives.get(name), reached[name]
        text = duration(got)
        if wanted is not None:
            kept = got is not None and got <= wanted
            text += f" of {duration(wanted)} allowed: {'kept' if kept else 'MISSED'}"
        yield title, text
    if reached["rpo"] is not None:
        yield "", "counted from the newest recoverable moment, whether or not something was written after it"


def _looked_at(payload: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("manifest", "amcheck", "filestore", "secrets", "configuration", "infrastructure"):
        if name in payload:
            yield name, _flat(payload[name])
    for database, found in (payload.get("databases") or {}).items():
        if found:
            yield f"books of {database}", _flat(found.get("books", {}))
            yield "compared with", str(found.get("compared_with", "not compared"))


def _flat(found: Any) -> str:
    """A line of what is plain in it; lists and mappings are in the record."""
    if not isinstance(found, Mapping):
        return str(found)
    return ", ".join(
        f"{name.replace('_', ' ')} {value}" for name, value in found.items() if isinstance(value, str | int | bool)
    )


def as_text(record: Record) -> str:
    """For a terminal."""
    lines: list[str] = []
    for title, found in rows(record):
        lines += ["", title]
        lines += [f"  {printable(name):<28} {printable(text)}" for name, text in found]
    return "\n".join(lines[1:]) + "\n"


def as_page(record: Record) -> str:
    """One HTML file that needs nothing else. What the backup says is escaped: it is somebody else's text."""
    title = html.escape(f"Restore test {record.header['target']}")
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        f'<style>{_STYLE}</style></head><body><h1>{title}: <span class="{record.result}">{record.result}</span></h1>',
    ]
    for section, found in rows(record):
        lines = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in found)
        parts.append(f"<h2>{html.escape(section)}</h2><table>{lines}</table>")
    return "".join(parts) + "</body></html>\n"
