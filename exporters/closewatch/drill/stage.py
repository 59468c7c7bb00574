"""Healthy backups of one small company, by every tool at hand: what each case of the drill takes a copy of."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from closewatch.books.sample import sample
from closewatch.drill.ground import DATABASE, Ground, Writer
from closewatch.engines.binaries import find_postgres
from closewatch.engines.folder import RunFolder
from closewatch.engines.process import EngineError

FILES = 40
ENTRIES = 120
PGBACKREST_KNOWS = 15
"""The newest PostgreSQL that Debian's oldest pgBackRest knows; a newer pgBackRest is asked no more of."""


@dataclass(slots=True)
class Stage:
    """The pieces. A case copies what it damages into a folder of its own, by `copy`."""

    run: RunFolder
    ground: Ground
    other: Ground
    """Another cluster, with another company's database under the same name."""
    bases: Path = field(init=False)
    dumps: Path = field(init=False)
    zips: Path = field(init=False)
    filestore: Path = field(init=False)
    extras: Path = field(init=False)
    writer: Writer | None = None
    _copies: Iterator[int] = field(default_factory=lambda: iter(range(1, 10_000)))

    @classmethod
    def build(cls, run: RunFolder) -> Stage:
        """Make everything. Raises EngineError where PostgreSQL itself is missing."""
        versions = find_postgres()
        if not versions:
            raise EngineError("no PostgreSQL server is on this machine")
        pgbackrest = shutil.which("pgbackrest")
        known = [one for one in versions if one.major <= PGBACKREST_KNOWS] if pgbackrest else versions
        binaries = known[-1] if known else versions[-1]
        content = {_name(data): data for data in _files()}
        attachments = [(name, len(data)) for name, data in content.items()]
        ground = Ground(run, binaries, pgbackrest if known else None).start(sample(ENTRIES, attachments))
        other = Ground(run, binaries, None, "other").start(sample(ENTRIES, attachments, name="Other"))
        stage = cls(run, ground, other)
        stage._fill(content)
        return stage

    def _fill(self, content: dict[str, bytes]) -> None:
        for name in ("bases", "dumps", "zips", "filestore", "extras"):
            setattr(self, name, self._folder(name))
        writer = self.writer = self.ground.load()
        for name, data in content.items():
            path = self.filestore / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        self.base(self.ground, "night")
        self.base(self.other, "other")
        if self.ground.pgbackrest:
            self.ground.backrest("backup", "--type=full")
        for form, name in (("c", "books.dump"), ("p", "books.sql"), ("d", "books"), ("t", "books.tar")):
            self.dump(self.ground, form, self.dumps / form / name)
        self.dump(self.other, "c", self.dumps / "other" / "books.dump")
        self.zip(content, self.zips / "books.zip")
        for _ in range(4):
            self.ground.switch()
        writer.stop()
        self.ground.switch()
        _readable(self.run.path)

    def _folder(self, name: str) -> Path:
        path = self.run.path / name
        path.mkdir()
        return path

    def base(self, ground: Ground, name: str) -> None:
        """A base backup into a folder of its own, `bases/NAME/NAME`."""
        made = ground.base_backup(f"base-{name}")
        (self.bases / name).mkdir()
        shutil.move(made, self.bases / name / name)

    def dump(self, ground: Ground, form: str, to: Path, *more: str) -> None:
        """A dump by pg_dump."""
        to.parent.mkdir(parents=True, exist_ok=True)
        program = str(ground.server.binaries.program("pg_dump"))
        command = [program, "-F", form, "-f", str(to), *more, ground.server.dsn(DATABASE, password="")]
        _call(command, PGPASSWORD=ground.server.password)

    def zip(self, content: dict[str, bytes], to: Path) -> None:
        """Odoo's own zip, with its filestore."""
        plain = self.dumps / "p" / "books.sql"
        manifest = {
            "odoo_dump": "1",
            "db_name": DATABASE,
            "version": "18.0",
            "version_info": [18, 0, 0, "final", 0, ""],
            "major_version": "18.0",
            "pg_version": f"{self.ground.server.major}.0",
            "modules": {"base": "18.0.1.3"},
        }
        with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(plain, "dump.sql")
            archive.writestr("manifest.json", json.dumps(manifest))
            for name, data in content.items():
                archive.writestr(f"filestore/{name}", data)

    def secrets(self) -> tuple[Path, Path, Path] | None:
        """An archive encrypted by age, its key, and another key; None where age isn't here."""
        if not (shutil.which("age") and shutil.which("age-keygen")):
            return None
        place = self.extras / "age"
        if not place.exists():
            place.mkdir()
            for name in ("right", "wrong"):
                _call(["age-keygen", "-o", str(place / name)])
            tar = io.BytesIO()
            with tarfile.open(fileobj=tar, mode="w") as archive:
                member = tarfile.TarInfo("password")
                member.size = 8
                archive.addfile(member, io.BytesIO(b"\0" * 8))
            (place / "plain").write_bytes(tar.getvalue())
            public = next(line for line in (place / "right").read_text().splitlines() if "public key:" in line)
            _call(["age", "-r", public.split(": ")[1], "-o", str(place / "secrets.age"), str(place / "plain")])
        return place / "secrets.age", place / "right", place / "wrong"

    def bundle(self) -> Path | None:
        """A git bundle; None where git isn't here."""
        if not shutil.which("git"):
            return None
        place = self.extras / "git"
        if not place.exists():
            place.mkdir()
            (place / "main.tf").write_text("# nothing yet\n" * 200, encoding="utf-8")
            named = ["-c", "user.name=drill", "-c", "user.email=drill@example.com", "-C", str(place)]
            _call(["git", "-C", str(place), "init", "--quiet", "--initial-branch=main"])
            _call(["git", *named, "add", "main.tf"])
            _call(["git", *named, "commit", "--quiet", "-m", "First"])
            _call(["git", "-C", str(place), "bundle", "create", "--quiet", str(self.extras / "code.bundle"), "main"])
        return self.extras / "code.bundle"

    def copy(self, source: Path) -> Path:
        """A copy of a file or folder that a case may damage, alone in a folder of its own; with its times."""
        place = self.run.path / f"copy{next(self._copies)}"
        place.mkdir()
        to = place / source.name
        if source.is_dir():
            shutil.copytree(source, to, symlinks=True)
        else:
            shutil.copy2(source, to)
        _readable(place)
        return to

    def remove(self) -> None:
        """Stop the clusters."""
        self.ground.remove()
        self.other.remove()


def _files() -> Iterator[bytes]:
    """What lies in the filestore: the same each time."""
    numbers = random.Random(7)
    for _ in range(FILES):
        yield numbers.randbytes(numbers.randrange(1, 60_000))


def _name(data: bytes) -> str:
    digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    return f"{digest[:2]}/{digest}"


def _readable(folder: Path) -> None:
    """The user of the restore's programs reads the backups, as it must in life."""
    for place, _, files in os.walk(folder):
        if "/base-" in place or place.endswith("-cluster"):
            continue
        os.chmod(place, os.stat(place).st_mode | 0o055)  # noqa: PTH101, PTH116 - many
        for file in files:
            path = Path(place) / file
            if not path.is_symlink() and path.is_file() and path.suffix != ".log":
                path.chmod(path.stat().st_mode | 0o044)


def _call(command: list[str], **environment: str) -> None:
    given = {**os.environ, **environment}
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise EngineError(f"{Path(command[0]).name}: {done.stderr.strip()}")
