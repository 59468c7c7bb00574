"""Everything that is watched: the targets of the configuration, those that discovery finds, and their scrapes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime

from closewatch import discovery
from closewatch.core.collectors import Collector
from closewatch.core.config import Config
from closewatch.core.problems import ConfigError, Problem
from closewatch.core.recorded import Recorded, RecordsReader
from closewatch.core.records import Chain, StoreError
from closewatch.core.scrape import Scrape
from closewatch.core.settings import State, TargetSettings
from closewatch.core.targets import Target
from closewatch.discovery import Found, Seen
from closewatch.kinds import KINDS
from closewatch.odoo.settings import OdooTarget
from closewatch.postgresql import cloudnativepg
from closewatch.postgresql.settings import PostgresqlTarget
from closewatch.restores.coverage import PlanResult, ratios
from closewatch.restores.tested import CHECK

Key = tuple[str, str]


class Registry:
    """One configuration at work; thread-safe.

    Made after an older one, it takes over the scrapes of targets that did
    not change, with their sessions and memories.
    """

    def __init__(self, config: Config, before: Registry | None = None) -> None:
        self.config = config
        self._lock = threading.RLock()
        self._before = dict(before.by_key) if before else {}
        self.by_key: dict[Key, Scrape] = {}
        self._servers: dict[str, PostgresqlTarget] = {}
        self._explicit: dict[str, set[str]] = {}
        self._names: set[Key] = {(settings.kind, settings.name) for settings in config.targets}
        # A scrape that is taken over asks the registry in use, not the one that made it, what is watched.
        self.in_use: list[Registry] = before.in_use if before else [self]
        self._listed: list[int] = []
        same = before is not None and before.records.settings == config.records
        self.records: RecordsReader = before.records if before and same else RecordsReader(config.records)
        if not same:  # what was shown from other records can't be taken over
            self._before = {key: one for key, one in self._before.items() if not isinstance(one.source, Recorded)}
        for settings in sorted(config.targets, key=lambda one: one.belongs_to is not None):
            if isinstance(settings, OdooTarget):
                self._explicit.setdefault(settings.server, set()).add(settings.database)
            self._add(settings)
        self._discover()
        self._before.clear()

    def use(self) -> None:
        """From now on this registry is the one that counts."""
        self.in_use[0] = self

    def scrapes(self) -> list[Scrape]:
        """The scrapes of all targets known now, in the order of the configuration, discovered ones last."""
        with self._lock:
            self._discover()
            return list(self.by_key.values())

    def find(self, name: str, kind: str | None = None) -> list[Scrape]:
        """The scrapes of that name: none, one, or, where kinds share a name and none is given, several."""
        keys = [(one, name) for one in ([kind] if kind else KINDS)]
        with self._lock:
            if not any(key in self._names for key in keys):
                self._discover()
            return [self.by_key[key] for key in keys if key in self.by_key]

    def discovering(self) -> list[Scrape]:
        """The servers whose databases are discovered."""
        return [self.by_key["postgresql", name] for name, settings in self._servers.items() if settings.discover]

    def expected(self, target: Target, now: datetime) -> bool:
        """Whether absence and age rules apply to the target at a time (aware): by its tenant's state and hours.

        And by its cluster's: what was hibernated on purpose isn't expected, nor is what lives on it.
        """
        tenant = self.config.tenants.get(target.labels.get("tenant", ""))
        return (tenant is None or tenant.expected(now)) and not self._asleep(target, now)

    def _asleep(self, target: Target, now: datetime) -> bool:
        scrape = self.by_key.get((target.kind, target.name))
        server = scrape.above or scrape if scrape is not None else None
        return server is not None and cloudnativepg.asleep(server.memory(cloudnativepg.NAME), now.timestamp())

    def coverage(self, now: float) -> list[tuple[dict[str, str], float]]:
        """By environment and cell, the share of watched databases that restore tests cover; none without plans.

        Nothing either while the records can't be read: that has a series of its own.
        """
        targets = [scrape.target for scrape in self.scrapes()]
        plans = [target for target in targets if target.kind == "restores"]
        active = [
            target
            for target in targets
            if target.kind == "odoo" and self.config.tenant(target.labels.get("tenant", "")).state is State.ACTIVE
        ]
        if not plans:
            return []
        try:
            store = self.records.open()
            tested = [PlanResult(plan, store.newest_passed(Chain(CHECK, plan.kind, plan.name))) for plan in plans]
        except StoreError:
            return []
        found = ratios(active, tested, now)
        return [({"environment": place[0], "cell": place[1]}, share) for place, share in found.items()]

    def close(self, keep: Registry | None = None) -> None:
        """Let go of all sessions but those that another registry took over."""
        kept = {id(scrape) for scrape in keep.by_key.values()} if keep else set()
        for scrape in list(self.by_key.values()):
            if id(scrape) not in kept:
                scrape.close()
        if keep is None or keep.records is not self.records:
            self.records.close()

    def _add(self, settings: TargetSettings) -> None:
        """Watch a target; the one that it belongs to is watched already."""
        above = self._above(settings)
        inherited = above.target.labels if above else {}
        # What belongs to nothing, and names no cell, is a cell of its own.
        target = Target.of(
            settings.kind,
            settings.name,
            environment=settings.environment or inherited.get("environment", ""),
            cell=settings.cell or inherited.get("cell", settings.name),
            tenant=settings.tenant or inherited.get("tenant"),
            settings=settings,
        )
        collectors = settings.asked(KINDS[settings.kind].collectors)
        if isinstance(settings, PostgresqlTarget):
            self._servers[settings.name] = settings
            if settings.discover:
                in_use = self.in_use
                collectors = (*collectors, discovery.collector(lambda one, seen: in_use[0].match(one.name, seen)[1]))
        self._keep_or_make(target, above, collectors)

    def _above(self, settings: TargetSettings) -> Scrape | None:
        if settings.belongs_to is None:
            return None
        field, kind = settings.belongs_to
        name = getattr(settings, field)
        return self.by_key[kind, name] if name is not None else None

    def _keep_or_make(self, target: Target, above: Scrape | None, collectors: tuple[Collector, ...]) -> None:
        """Watch with the scrape that there is for an unchanged target below an unchanged one, else with a new one."""
        key = (target.kind, target.name)
        for known in (self.by_key.get(key), self._before.get(key)):
            if known is not None and known.target == target and known.above is above:
                self.by_key[key] = known
                return
        try:
            source = target.settings.source(above.source if above else None)
        except ModuleNotFoundError as error:
            raise _extra_missing(self.config, target.kind, error) from error
        if checks := target.settings.checks():
            source = Recorded(source, target, checks, self.records.open)
        self.by_key[key] = Scrape(target, source, collectors, above)

    def _discover(self) -> None:
        """Bring the discovered targets in line with what the servers list now; a server that is down keeps its own."""
        lists = [
            (name, self.by_key["postgresql", name].memory(discovery.NAME).get("seen", ())) for name in self._servers
        ]
        if self._listed == (state := [id(seen) for _, seen in lists]):
            return
        wanted: dict[Key, OdooTarget] = {}
        for name, seen in lists:
            for found in self.match(name, seen)[0]:
                wanted.setdefault(("odoo", found.name), _settings(name, found))
        for key in [key for key in self.by_key if key not in self._names and key not in wanted]:
            self.by_key.pop(key).close()
        for key, settings in wanted.items():
            known = self.by_key.get(key)
            if known is None or known.target.settings != settings:
                self._add(settings)
        self._listed = state

    def match(self, server: str, seen: Iterable[Seen]) -> tuple[list[Found], Mapping[str, int]]:
        """Which databases of a server are watched as targets of their own, and how many are not, by reason."""
        settings = self._servers.get(server)
        if settings is None:
            return [], {}

        def taken(name: str) -> bool:
            known = self.by_key.get(("odoo", name))
            return ("odoo", name) in self._names or (known is not None and known.target.settings.server != server)

        return discovery.match(seen, settings, self._explicit.get(server, ()), taken)


def _extra_missing(config: Config, kind: str, error: ModuleNotFoundError) -> ConfigError:
    if (error.name or "").startswith("closewatch"):
        raise error
    message = f"targets of kind {kind} need the package {error.name}; install it: pip install 'closewatch[{kind}]'"
    return ConfigError([Problem(config.path, 0, "targets", message)])


def _settings(server: str, found: Found) -> OdooTarget:
    # Not validated: a database may have a name that nobody would write into a configuration.
    return OdooTarget.model_construct(
        kind="odoo",
        name=found.name,
        server=server,
        database=found.database,
        tenant=found.tenant,
        environment=found.environment,
        cell=None,
    )
