"""The state of each tenant by control domain, on one screen: what an executive asks first, and on-call second.

A tenant's state is the worst of its own alerts and of those of what it shares with its cell. Nothing firing is only
"quiet" where something is watched, and answers, that would tell; else it is "not known", and never green.
"""

from __future__ import annotations

from dashboards.parts import GREEN, ORANGE, RED, Column, Panel, both, query, table

PLACE = "environment, cell, tenant"
DOMAINS = {
    "availability": ".+",
    "integrity": "postgresql",
    "confidentiality": "postgresql|redis|certificates",
    "recoverability": "backups|restores",
}
"""The control domains, each with the kinds of targets that tell of it."""
STATES = {
    "-1": ("not known", "text"),
    "0": ("quiet", GREEN),
    "1": ("warning", ORANGE),
    "2": ("critical", RED),
}
PLACES = f"group by ({PLACE}) ({both('closewatch_target_up')})"


def panel() -> Panel:
    """The table: a line a tenant, and one for what the tenants of a cell share."""
    figures = [(state(domain), domain.capitalize()) for domain in DOMAINS]
    up = f"max by ({PLACE}, target, kind) ({both('closewatch_target_up')})"
    counts = [
        (f"count by ({PLACE}) (max by ({PLACE}, target, finding) (closewatch:finding)) or 0 * {PLACES}", "Findings"),
        (f"count by ({PLACE}) ({up} == 0) or 0 * {PLACES}", "Don't answer"),
        (f"count by ({PLACE}) ({up})", "Targets"),
    ]
    refs = "ABCDEFG"
    link = "/d/${__dashboard.uid}?${__url_time_range}&${datasource:queryparam}"
    only_tenant = ("Only this tenant", link + "&var-tenant=${__value.text}")
    return table(
        "State by tenant",
        "The worst alert of it and of what it shares. Not known: nothing that would tell is watched, or answers.",
        [query(expr, ref=ref, table=True) for ref, (expr, _) in zip(refs, figures + counts, strict=True)],
        [
            Column("tenant", "Tenant", link=only_tenant, texts={"": ("(shared)", "text")}),
            *(
                Column(f"Value #{ref}", title, texts=STATES, solid=True, width=130)
                for ref, (_, title) in zip(refs, figures, strict=False)
            ),
            Column("Value #E", "Findings", width=90),
            Column("Value #F", "Don't answer", steps=((1, RED),), width=110),
            Column("Value #G", "Targets", width=80),
            Column("cell", "Cell"),
            Column("environment", "Environment"),
        ],
        none="No data",
        sort=("Availability", True),
    )


def state(domain: str) -> str:
    """2 critical, 1 warning, 0 quiet, -1 not known; by environment, cell and tenant."""
    own = f"max by ({PLACE}) ({_worst(domain)})"
    of_cell = _worst(domain, 'tenant=""')
    shared = f"{PLACES} * on (environment, cell) group_left () max by (environment, cell) ({of_cell})"
    both_of = f"""label_replace({own}, "of", "itself", "", "") or label_replace({shared}, "of", "shared", "", "")"""
    tells = f'max by (environment, cell) (closewatch_target_up{{kind=~"{DOMAINS[domain]}"}}) == 1'
    return f"""
        max by ({PLACE}) ({both_of}) and on ({PLACE}) {PLACES}
        or 0 * ({PLACES} and on (environment, cell) ({tells}))
        or 0 * {PLACES} - 1"""


def _worst(domain: str, matchers: str = "") -> str:
    more = f",{matchers}" if matchers else ""
    alerts = f'ALERTS{{alertstate="firing",domain="{domain}"{more},severity='
    return f'2 * {alerts}"critical"}} or {alerts}"warning"}}'
