"""Restores: can it really be brought back, to which moment, how fast, and are the books in it right?

A target is a plan: which backup is restored, to which point, how often, within which limits. `closewatch work` (or a
Kubernetes Job) carries it out in a throwaway PostgreSQL that nothing else can reach, verifies what came back, removes
it, and keeps a record; a scrape shows the newest record. The layers here: an origin (`origins`) chooses and fetches;
the run joins the phases; `verify` looks at what came back.
"""

from closewatch.core.collectors import Collector
from closewatch.restores.tested import TESTED

COLLECTORS: tuple[Collector, ...] = (TESTED,)
