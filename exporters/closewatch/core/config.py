"""The configuration: read, validated once, and then the only thing that the runtime takes.

`load` gives a frozen `Config` or raises `ConfigError` with all that is wrong. The core knows no kind of target: it is
told the kinds, and picks the model by the key `kind`. `json_schema` describes the same models to editors.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Union

from pydantic import Field, create_model

from closewatch.core.problems import ConfigError, Loc, Problem, allowed, did_you_mean, quoted
from closewatch.core.records.settings import RecordsSettings
from closewatch.core.secrets import SecretError
from closewatch.core.settings import Label, Model, TargetSettings, Tenant
from closewatch.core.validation import secrets_of, validate
from closewatch.core.yamlfile import Document, read

Kinds = Mapping[str, type[TargetSettings]]
MAX_FILES = 10_000


class _Included(Model):
    targets: tuple[Any, ...] = Field(default=(), description="What is watched.")


class _File(_Included):
    environment: Label | None = Field(
        default=None, description="The environment of all targets that name none of their own."
    )
    include: tuple[str, ...] = Field(
        default=(),
        description="More files with a list `targets:` each, as patterns relative to this file: targets.d/*.yml",
    )
    records: Any = Field(
        default=None, description="Where results of scheduled checks are kept; needed by targets that have some."
    )
    tenants: dict[Label, Tenant] = Field(
        default_factory=dict, description="State and operating hours of tenants; one that is not listed is active."
    )


@dataclass(frozen=True, slots=True)
class _Placed:
    """A target that is valid by itself, and where it is written."""

    settings: TargetSettings
    document: Document
    loc: Loc

    @property
    def key(self) -> tuple[str, str]:
        return self.settings.kind, self.settings.name

    @property
    def place(self) -> str:
        return f"{self.document.path}:{self.document.line(self.loc)}"

    def problem(self, name: str, message: str) -> Problem:
        return self.document.problem((*self.loc, name), message)


@dataclass(frozen=True)
class Config:
    """A valid configuration. Made by `load` alone."""

    path: Path
    files: tuple[Path, ...]
    """All files that were read, the main one first."""
    targets: tuple[TargetSettings, ...]
    """In the order of the files; each has its environment."""
    tenants: Mapping[str, Tenant]
    records: RecordsSettings | None
    """None where no results are kept."""
    hash: str
    """Of all files: `sha256sum closewatch.yml targets.d/*.yml | sha256sum`, run in the folder of the main file."""
    _placed: Mapping[tuple[str, str], _Placed] = field(repr=False)

    def tenant(self, name: str) -> Tenant:
        """The tenant of this name; an active one without hours where none is listed."""
        return self.tenants.get(name) or Tenant()

    def place(self, target: TargetSettings) -> str:
        """The file and line in which a target is written."""
        return self._placed[target.kind, target.name].place

    def secret_problems(self) -> tuple[Problem, ...]:
        """The secrets that can't be read at this moment."""
        return tuple(_unreadable(self._placed.values()))


def load(path: Path, kinds: Kinds, records: type[RecordsSettings] | None = None) -> Config:
    """The configuration in a file and in those that it includes. Raises ConfigError with all that is wrong."""
    return _Load(path, kinds, _file(records)).run()


def json_schema(kinds: Kinds, records: type[RecordsSettings] | None = None) -> dict[str, Any]:
    """A JSON Schema (2020-12) of the configuration file, for editors."""
    models = tuple(kinds.values())
    target: Any = models[0] if len(models) == 1 else Annotated[Union[models], Field(discriminator="kind")]  # noqa: UP007
    targets = (tuple[target, ...], Field(default=(), description="What is watched."))
    about = "The configuration of closewatch."
    model = create_model("Configuration", __base__=_file(records), targets=targets, __doc__=about)
    schema = model.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "closewatch"}


def _file(records: type[RecordsSettings] | None) -> type[_File]:
    """The main file's model, with records as they are told; with none where the core is told of none."""
    one: Any = None if records is None else records | None
    return create_model("_File", __base__=_File, records=(one, _File.model_fields["records"]))


class _Load:
    """One load: collects documents, targets and problems on the way."""

    def __init__(self, path: Path, kinds: Kinds, file: type[_File]) -> None:
        self._path = path
        self._kinds = kinds
        self._main = file
        self._documents: list[Document] = []
        self._problems: list[Problem] = []
        self._placed: dict[tuple[str, str], _Placed] = {}
        self._faulty: set[tuple[str, str]] = set()

    def run(self) -> Config:
        main = read(self._path)
        file = self._file(self._main, main)
        for path in self._included(main):
            try:
                self._file(_Included, read(path))
            except ConfigError as error:
                self._problems += error.problems
        if not self._placed and not self._problems and main.data.get("targets") != []:
            message = "nothing to watch: no target here or in included files; an empty list is written `targets: []`"
            self._problems.append(main.problem(("targets",), message))
        environment = main.data.get("environment") if file is None else file.environment
        targets = tuple(self._inherited(placed, environment) for placed in self._placed.values())
        self._environments(main, targets)
        self._kept(main, file, targets)
        if self._problems or file is None:
            raise ConfigError(sorted(self._problems, key=self._order))
        return Config(
            path=self._path,
            files=tuple(document.path for document in self._documents),
            targets=targets,
            tenants=MappingProxyType(dict(file.tenants)),
            records=file.records,
            hash=_manifest(self._path.parent, self._documents),
            _placed=MappingProxyType(self._placed),
        )

    def _file(self, model: type[Any], document: Document) -> Any:
        """The file's own model, None where it is not valid; its targets are taken in either way, to find all faults."""
        self._documents.append(document)
        self._problems += document.problems
        result = validate(model, document, (), document.data)
        if isinstance(result, list):
            self._problems += _not_said_yet(result, document)
        targets = document.data.get("targets")
        for index, data in enumerate(targets if isinstance(targets, list) else []):
            self._target(document, index, data)
        return None if isinstance(result, list) else result

    def _target(self, document: Document, index: int, data: Any) -> None:
        loc = ("targets", index)
        if not isinstance(data, dict):
            problem = document.problem(loc, "expected a mapping (keys and values) with `kind` and `name`")
            self._problems += _not_said_yet([problem], document)
            return
        kind = data.get("kind")
        model = self._kinds.get(kind) if isinstance(kind, str) else None
        result = validate(model, document, loc, data) if model else [self._kind_problem(document, loc, data)]
        if isinstance(result, list):
            self._problems += _not_said_yet(result, document)
            self._faulty.add((str(kind), str(data.get("name"))))
            return
        placed = _Placed(result, document, loc)
        first = self._placed.setdefault(placed.key, placed)
        if first is not placed:
            message = f"{quoted(result.name)}: a target of kind {result.kind} has this name already: {first.place}"
            self._problems.append(placed.problem("name", message))

    def _order(self, problem: Problem) -> tuple[bool, str, int]:
        return problem.file != self._path, str(problem.file), problem.line

    def _kind_problem(self, document: Document, loc: Loc, data: Mapping[str, Any]) -> Problem:
        kinds = sorted(self._kinds)
        if "kind" not in data:
            return document.problem((*loc, "kind"), f"is missing; {allowed(kinds)}")
        text = document.texts.get((*loc, "kind"), "")
        return document.problem((*loc, "kind"), f"{quoted(text)}: unknown kind; {allowed(kinds, text)}")

    def _included(self, main: Document) -> list[Path]:
        """The files that the patterns find, each once, without the main file."""
        patterns = main.data.get("include")
        found: dict[Path, None] = {}
        for index, pattern in enumerate(patterns if isinstance(patterns, list) else []):
            if not isinstance(pattern, str) or not pattern or "\0" in pattern:
                continue
            paths = sorted(glob.glob(pattern, root_dir=self._path.parent, recursive=True))  # noqa: PTH207 - root_dir
            if not paths:
                self._nothing_included(main, index, pattern)
            found |= dict.fromkeys(self._path.parent / path for path in paths)
        if len(found) > MAX_FILES:
            message = f"finds {len(found):,} files; at most {MAX_FILES:,} are read"
            raise ConfigError([*self._problems, main.problem(("include",), message)])
        return [path for path in found if not (path.exists() and path.samefile(self._path))]

    def _nothing_included(self, main: Document, index: int, pattern: str) -> None:
        """An empty folder is fine; a missing one is a slip of the pen that would leave systems unwatched."""
        if not glob.has_magic(pattern):
            self._problems.append(main.problem(("include", index), f"{quoted(pattern)}: the file does not exist"))
        elif not glob.has_magic(folder := os.path.dirname(pattern)) and not (self._path.parent / folder).is_dir():  # noqa: PTH120
            self._problems.append(main.problem(("include", index), f"{quoted(pattern)}: there is no such folder"))

    def _inherited(self, placed: _Placed, default: str | None) -> TargetSettings:
        """The target with its environment, and the cell of what it belongs to."""
        settings, parents = placed.settings, list(self._parents(placed))
        cells = [parent.settings.cell for parent in parents if parent.settings.cell]
        cell = settings.cell or (cells[0] if cells else None)
        if cells and cell != cells[0]:
            message = f"{quoted(cell or '')}: what it belongs to is in the cell {quoted(cells[0])}; leave this key out"
            self._problems.append(placed.problem("cell", message))
        environments = [settings.environment, *(parent.settings.environment for parent in parents), default]
        environment = next((e for e in environments if e), None)
        return settings.model_copy(update={"environment": environment, "cell": cell})

    def _environments(self, main: Document, targets: tuple[TargetSettings, ...]) -> None:
        """Complains once about missing environments, and only where no other fault may be the cause."""
        without = [target for target in targets if target.environment is None]
        if without and not self._problems:
            first = self._placed[without[0].kind, without[0].name]
            message = f"is missing; targets have none of their own: {len(without)}, the first at {first.place}"
            self._problems.append(main.problem(("environment",), message))

    def _kept(self, main: Document, file: Any, targets: tuple[TargetSettings, ...]) -> None:
        """Complains once where results of scheduled checks would be kept nowhere."""
        checked = [target for target in targets if target.checks()]
        if checked and file is not None and file.records is None and not self._problems:
            first = self._placed[checked[0].kind, checked[0].name]
            message = f"is missing; targets with scheduled checks: {len(checked)}, the first at {first.place}"
            self._problems.append(main.problem(("records",), f"{message}. Write: records: {{path: FILE}}"))

    def _parents(self, placed: _Placed) -> Iterator[_Placed]:
        """The targets that this one belongs to, the nearest first."""
        seen = {placed.key}
        child: _Placed | None = placed
        while child is not None and child.settings.belongs_to is not None:
            name_field, kind = child.settings.belongs_to
            name = getattr(child.settings, name_field)
            if name is None or (kind, name) in seen:
                return
            parent = self._placed.get((kind, name))
            if parent is None and child is placed and (kind, name) not in self._faulty:
                names = [other for other_kind, other in self._placed if other_kind == kind]
                message = f"{quoted(name)}: no target of kind {kind} has this name{did_you_mean(name, names)}"
                self._problems.append(placed.problem(name_field, message))
            if parent is not None:
                seen.add(parent.key)
                yield parent
            child = parent


def _not_said_yet(problems: list[Problem], document: Document) -> list[Problem]:
    """Without those of a key whose form is at fault already: its value means nothing."""
    said = {(problem.line, problem.key) for problem in document.problems}
    return [problem for problem in problems if (problem.line, problem.key) not in said]


def _manifest(folder: Path, documents: list[Document]) -> str:
    lines = [f"{document.digest}  {os.path.relpath(document.path, folder)}\n" for document in documents]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _unreadable(placed: Iterator[_Placed] | Any) -> Iterator[Problem]:
    for target in placed:
        for loc, secret in secrets_of(target.settings):
            try:
                secret.read()
            except SecretError as error:
                yield target.document.problem((*target.loc, *loc), str(error))


__all__ = ["Config", "ConfigError", "Kinds", "Problem", "TargetSettings", "Tenant", "json_schema", "load"]
