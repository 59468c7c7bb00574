"""Does the configuration in the backup parse? YAML, JSON, TOML, INI, XML and Odoo's own file, each by its name.

A name of a member and the kind of fault is all that is said; nothing of the content. YAML is read to its structure
only, so that no tag of it makes an object and no alias multiplies; XML without entities of its own.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import stat
import tarfile
import tomllib
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple
from xml.parsers import expat  # entities are refused below

import yaml

from closewatch.restores.why import Failed, Why

LARGEST = 8 * 1024 * 1024
"""Bytes of a member; what is longer is no configuration, and not looked at."""
MOST = 100_000
"""Members."""
Need = Callable[[], object]
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Member(NamedTuple):
    """A file: its name, and its content where it was read."""

    name: str
    content: bytes | None


@dataclass(slots=True)
class Parsed:
    """How many files of which kind were parsed, and how many are of no kind that is known, or too long."""

    kinds: Counter[str] = field(default_factory=Counter)
    others: int = 0

    @property
    def payload(self) -> Mapping[str, Any]:
        """For the record."""
        return {"parsed": dict(sorted(self.kinds.items())), "others": self.others}


def check(path: Path, need: Need) -> Parsed:
    """A folder, a zip or a tarball. Raises Failed(configuration)."""
    found = Parsed()
    try:
        for number, member in enumerate(_members(path)):
            need()
            if number >= MOST:
                raise Failed(Why.CONFIGURATION, f"there are more than {MOST:,} files in it")
            kind = kind_of(member.name)
            if kind is None or member.content is None:
                found.others += 1
                continue
            if fault := _fault(kind, member.content):
                raise Failed(Why.CONFIGURATION, f"{shown(member.name)}: {fault}")
            found.kinds[kind] += 1
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError) as error:
        raise Failed(Why.CONFIGURATION, "the archive is damaged, cut short, or of no kind that is known") from error
    except OSError as error:
        raise Failed(Why.CONFIGURATION, "the archive can't be read") from error
    if not found.kinds:
        raise Failed(Why.CONFIGURATION, "there is no file of configuration in it whose kind is known")
    return found


def kind_of(name: str) -> str | None:
    """Which parser a file is for, by its name."""
    base = PurePosixPath(name).name.lower()
    if re.fullmatch(r"(\.odoorc|\.openerp_serverrc|(odoo|openerp)([-_.].*)?\.(conf|cfg|rc))", base):
        return "odoo"
    return _SUFFIXES.get(PurePosixPath(base).suffix)


def shown(name: str) -> str:
    """A name from an archive, fit to be shown."""
    return re.sub(r"[^A-Za-z0-9_./@+ -]", "?", name)[-120:]


def _members(path: Path) -> Iterator[Member]:
    if path.is_dir():
        yield from _of_folder(path)
    elif zipfile.is_zipfile(path):
        yield from _of_zip(path)
    else:
        yield from _of_tar(path)


def _of_folder(root: Path) -> Iterator[Member]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            about = path.lstat()
            if stat.S_ISREG(about.st_mode):
                content = path.read_bytes() if about.st_size <= LARGEST else None
                yield Member(str(path.relative_to(root)), content)


def _of_zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                with archive.open(member) as file:
                    yield Member(member.filename, _bounded(file))


def _of_tar(path: Path) -> Iterator[Member]:
    with tarfile.open(path, mode="r|*") as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined] # it would keep each
            if member.isreg():
                file = archive.extractfile(member)
                assert file is not None
                yield Member(member.name, file.read() if member.size <= LARGEST else None)


def _bounded(file: IO[bytes]) -> bytes | None:
    content = file.read(LARGEST + 1)
    return content if len(content) <= LARGEST else None


def _fault(kind: str, content: bytes) -> str | None:
    """What is wrong with it, in our own words."""
    try:
        _PARSERS[kind](content)
    except UnicodeDecodeError:
        return f"is no text in UTF-8, as {_WORDS[kind]} is"
    except (RecursionError, MemoryError):
        return f"is nested too deeply for {_WORDS[kind]}"
    except _NoOptions:
        return "has no section [options]"
    except (ValueError, yaml.YAMLError, configparser.Error, expat.ExpatError):
        return f"is no valid {_WORDS[kind]}"
    return None


class _NoOptions(Exception):
    """It is an INI file, but not Odoo's."""


def _yaml(content: bytes) -> None:
    for _ in yaml.compose_all(content, Loader=_Loader):
        continue


def _json(content: bytes) -> None:
    json.loads(content.decode("utf-8-sig"))


def _toml(content: bytes) -> None:
    tomllib.loads(content.decode())


def _ini(content: bytes) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, interpolation=None)
    parser.read_string(content.decode("utf-8-sig"))
    return parser


def _odoo(content: bytes) -> None:
    if not _ini(content).has_section("options"):
        raise _NoOptions


def _xml(content: bytes) -> None:
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise ValueError

    parser.EntityDeclHandler = refuse
    parser.Parse(content, True)


_PARSERS: Mapping[str, Callable[[bytes], object]] = {
    "yaml": _yaml,
    "json": _json,
    "toml": _toml,
    "ini": _ini,
    "odoo": _odoo,
    "xml": _xml,
}
_WORDS = {"yaml": "YAML", "json": "JSON", "toml": "TOML", "ini": "INI", "odoo": "Odoo configuration", "xml": "XML"}
_SUFFIXES = {
    ".yml": "yaml",
    ".yaml": "yaml",
    ".json": "json",
    ".toml": "toml",
    ".ini": "ini",
    ".service": "ini",
    ".timer": "ini",
    ".xml": "xml",
}
