"""`closewatch check --connect`: can every target be asked, and which grants are missing, as SQL to paste."""

from __future__ import annotations

from collections.abc import Callable

from closewatch.core.config import Config
from closewatch.core.deadline import Deadline
from closewatch.core.labels import clean
from closewatch.core.problems import printable
from closewatch.core.scrape import Scrape
from closewatch.explain import wrong
from closewatch.registry import Registry


def summary(config: Config) -> str:
    """A configuration that is good, in a line."""
    kinds: dict[str, int] = {}
    for target in config.targets:
        kinds[target.kind] = kinds.get(target.kind, 0) + 1
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "none"
    return f"{config.path}: good; targets: {counted}; files: {len(config.files)}"


def check_targets(config: Config, deadline: Deadline, say: Callable[[str], object]) -> bool:
    """Ask every target once and say what is wrong and which grants are missing. True where all is well."""
    registry = Registry(config)
    well = True
    grants: dict[str, list[str]] = {}
    try:
        for scrape in registry.discovering():
            scrape.run(deadline.sooner(10))
        for scrape in registry.scrapes():
            if scrape.status is None:
                scrape.run(Deadline.after(10))
            problems = wrong(scrape.status) if scrape.status else []
            say(
                f"{scrape.target.kind} {printable(clean(scrape.target.name))}: " + ("well" if not problems else "WRONG")
            )
            for problem in problems:
                say(f"  {problem}")
            well = well and not problems
            for database, statements in _missing_grants(scrape).items():
                grants.setdefault(database, []).extend(statements)
    finally:
        registry.close()
    if grants:
        say("\n-- Missing grants; run as the owner or a superuser:")
        for database, statements in grants.items():
            say(f"\\connect {database}")
            for statement in dict.fromkeys(statements):
                say(statement)
    return well and not grants


def _missing_grants(scrape: Scrape) -> dict[str, list[str]]:
    if scrape.target.kind not in {"postgresql", "odoo"}:
        return {}
    from closewatch.grants import missing_grants  # noqa: PLC0415 - psycopg is an extra

    return missing_grants(scrape)
