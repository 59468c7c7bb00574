"""The dashboards: one that says what is wrong, and one a concern that shows why."""

from __future__ import annotations

from dashboards import glance, odoo, postgresql, watcher
from dashboards.frame import Page

PAGES = (
    Page(
        "closewatch overview",
        "What is wrong, where, since when, and what to do. Red and orange first.",
        (("What is wrong", glance.panels), ("closewatch itself", watcher.panels)),
    ),
    Page(
        "closewatch postgresql",
        "PostgreSQL: a line a cluster, then what would be lost, what stops the work, and what comes next.",
        (("Clusters", postgresql.panels),),
    ),
    Page(
        "closewatch odoo",
        "Odoo: a line a database, then background jobs and scheduled actions.",
        (("Databases", odoo.panels),),
    ),
)
