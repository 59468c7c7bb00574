"""The dashboards: one that says what is wrong, and one a concern that shows why."""

from __future__ import annotations

from dashboards import (
    alertmanager,
    backups,
    buckets,
    certificates,
    glance,
    odoo,
    odoo_operations,
    pgbouncer,
    postgresql,
    postgresql_access,
    postgresql_load,
    recoverability,
    redis,
    scheduled,
    watcher,
)
from dashboards.frame import Page

PAGES = (
    Page(
        "closewatch overview",
        "What is wrong, where, since when, and what to do. Red and orange first.",
        (
            ("What is wrong", glance.panels),
            ("closewatch itself", watcher.panels),
            ("Alertmanager", alertmanager.panels),
        ),
    ),
    Page(
        "closewatch postgresql",
        "PostgreSQL: a line a cluster, then what would be lost, what stops the work, and what comes next.",
        (
            ("Clusters", postgresql.panels),
            ("Load and capacity", postgresql_load.panels),
            ("Access", postgresql_access.panels),
            ("PgBouncer", pgbouncer.panels),
        ),
    ),
    Page(
        "closewatch odoo",
        "Odoo: a line a database, then jobs and actions; mail, what the accounting waits for, and files.",
        (("Databases", odoo.panels), ("Mail, accounting and files", odoo_operations.panels)),
    ),
    Page(
        "closewatch redis",
        "Redis and Valkey: memory and clients, what a restart would lose, and who else gets in.",
        (("Redis", redis.panels),),
    ),
    Page(
        "closewatch certificates",
        "Certificates: what ends soon, what clients refuse, what was renewed and isn't served.",
        (("Certificates", certificates.panels),),
    ),
    Page(
        "closewatch backups",
        "Backups: a line a place, then how old, how large, and what is not good.",
        (("Backups", backups.panels),),
    ),
    Page(
        "closewatch recoverability",
        "Recoverability: a sentence a database, then the restore tests, what they rest on, and who could take it away.",
        (
            ("Restores, tested and verified", recoverability.panels),
            ("Buckets and tampering", buckets.panels),
            ("Scheduled checks and their records", scheduled.panels),
        ),
    ),
)
