"""Data folders of PostgreSQL: made once by initdb for each version, then copied; and their settings.

As root, PostgreSQL's programs run as an unprivileged user. Where that user can't reach them (a virtual environment
under /root), they are copied into the run folder.
"""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

from closewatch.engines.binaries import PostgresBinaries
from closewatch.engines.folder import HOST, RunFolder, traversable
from closewatch.engines.process import EngineError

_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "password_encryption": "scram-sha-256",
    "wal_level": "replica",
    "max_wal_senders": "10",
    "shared_buffers": "32MB",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "autovacuum_naptime": "60s",
}
_HBA = """# Passwords for all, on loopback only.
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
"""
_lock = threading.Lock()


def make_data_folder(run: RunFolder, binaries: PostgresBinaries, name: str) -> tuple[PostgresBinaries, str]:
    """Make the data folder `name`; gives the programs to run it with, and the administrator's password."""
    binaries = reachable(run, binaries)
    template = run.path / f"template{binaries.major}"
    with _lock:
        if not template.exists():
            _initdb(run, binaries, template)
    data = run.folder(name, private_to=run.user)
    _copy(template, data)
    return binaries, (run.path / f"password{binaries.major}").read_text(encoding="utf-8")


def write_settings(data: Path, settings: Mapping[str, str], user: str | None) -> None:
    """Add lines to postgresql.conf; the last line of a name wins."""
    lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in settings.items()]
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.writelines(lines)
    if user:
        shutil.chown(data / "postgresql.conf", user)


def _initdb(run: RunFolder, binaries: PostgresBinaries, template: Path) -> None:
    password = secrets.token_urlsafe(18)
    secret = run.path / f"password{binaries.major}"
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="utf-8")
    if run.user:
        shutil.chown(secret, run.user)
    making = run.folder(f"{template.name}.new", private_to=run.user)
    # Small WAL segments: an archive or a slot in a test fills kilobytes, not gigabytes.
    command = [str(binaries.path / "initdb"), "-D", str(making), "-U", "postgres", f"--pwfile={secret}", "--no-sync"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--wal-segsize=1"]
    done = run.call(command, user=run.user, timeout=120)
    if done.returncode:
        raise EngineError(f"initdb of PostgreSQL {binaries.version}: {done.stderr.strip()}")
    write_settings(making, _SETTINGS, run.user)
    (making / "pg_hba.conf").write_text(_HBA, encoding="utf-8")
    making.rename(template)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder's content with owners: `shutil` keeps modes but not owners."""
    owner = source.stat()
    for place, _, files in os.walk(source):
        to = target / Path(place).relative_to(source)
        to.mkdir(mode=0o700, exist_ok=True)
        os.chown(to, owner.st_uid, owner.st_gid)
        for file in files:
            shutil.copy2(Path(place) / file, to / file)
            os.chown(to / file, owner.st_uid, owner.st_gid)


def reachable(run: RunFolder, binaries: PostgresBinaries) -> PostgresBinaries:
    """The programs, or a copy of them that the unprivileged user can reach."""
    if run.user is None or traversable(binaries.path):
        return binaries
    copy = run.path / f"postgresql{binaries.major}"
    with _lock:
        if not copy.exists():
            making = copy.with_suffix(".new")
            with (binaries.path / "postgres").open("rb") as program:
                wrapped = program.read(2) == b"#!"
            if wrapped:
                _copy_wrapped(binaries.path, making, copy)
            else:
                _copy_relocatable(binaries.path, making)
            making.rename(copy)
    place = next(path for path in (copy / "bin", *copy.glob("*/pginstall/bin")) if path.exists())
    return PostgresBinaries(place, binaries.version)


def _copy_relocatable(programs: Path, making: Path) -> None:
    """Copy an installation that finds its own parts; a wheel's libraries lie in a folder beside the package."""
    package = programs.parents[1]
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(programs.parent, making / package.name / programs.parent.name, symlinks=True)
        shutil.copytree(libraries, making / libraries.name, symlinks=True)
    else:
        shutil.copytree(programs.parent, making, symlinks=True)


def _copy_wrapped(wrappers: Path, making: Path, copy: Path) -> None:
    """Copy programs of an unpacked package, and the scripts that say where their libraries are."""
    unpacked = wrappers.parents[2] / "unpacked"
    for part in ("usr/lib", "usr/share/postgresql", "lib"):
        if (unpacked / part).is_dir():
            shutil.copytree(unpacked / part, making / "unpacked" / part, symlinks=True)
    (making / wrappers.name).mkdir()
    for wrapper in wrappers.iterdir():
        text = wrapper.read_text(encoding="utf-8").replace(str(unpacked), str(copy / "unpacked"))
        (making / wrappers.name / wrapper.name).write_text(text, encoding="utf-8")
        (making / wrappers.name / wrapper.name).chmod(0o755)
