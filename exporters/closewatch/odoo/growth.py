"""How fast does the filestore grow? It fills a disk that no figure of the database shows.

    closewatch_odoo_attachments 1.21e+06
    closewatch_odoo_attachments_bytes 3.4e+11
    closewatch_odoo_attachments_added_bytes_total 5.1e+08

What was added is exact: the newest 10,000 rows are added up by thousands of ids, and each time a thousand is compared
with what it was the time before. So a row whose transaction committed late is counted all the same, and nothing older
is read again. It is counted from closewatch's start on, as a counter: rate() and increase() are at home in it. More
than 10,000 attachments in five minutes are counted in part.

What there is in all is an estimate, from a sample of 1,000 pages at most: to add up a table of millions takes seconds.
The sample is of the same pages each time, and of new ones as the table grows, so that the estimate moves with the table
and not with chance: good for a trend. Each time the table doubles, the sample becomes half as dense, which is a small
step. A few attachments that are far larger than all others make it wrong by some ten per cent.

Odoo keeps equal files once, and deletes late: the folder on the disk may be smaller, or larger.

Rights: SELECT on id and file_size. Cost: the newest 10,000 rows by their id, and up to 1,000 pages, the same ones each
time. Source: ir_attachment, pg_class.
"""

from __future__ import annotations

from collections.abc import Iterable

from closewatch.core.collectors import Answer, Collector, Memory
from closewatch.core.families import Counter, Gauge, Sample
from closewatch.core.targets import Target
from closewatch.sources.postgresql.query import Query

ATTACHMENTS = Gauge("closewatch_odoo_attachments", "Attachments of the database, estimated from a sample.")
BYTES = Gauge("closewatch_odoo_attachments_bytes", "Size of all attachments, estimated from a sample.")
ADDED_BYTES = Counter(
    "closewatch_odoo_attachments_added_bytes_total",
    "Size of the attachments that were added since closewatch began to watch.",
)

LOOKED = 10_000

QUERY = Query(
    """
WITH share AS MATERIALIZED (
  SELECT pg_catalog.power(2, -GREATEST(0, pg_catalog.ceil(pg_catalog.log(2, GREATEST(1,
           pg_catalog.pg_relation_size(oid) / pg_catalog.current_setting('block_size')::int / 1000.0)))))::float8 AS of
    FROM pg_catalog.pg_class WHERE oid = 'public.ir_attachment'::pg_catalog.regclass
)
SELECT id / 1000 AS thousand, pg_catalog.count(*)::float8 AS files,
       COALESCE(pg_catalog.sum(file_size), 0)::float8 AS bytes
  FROM (SELECT id, file_size FROM public.ir_attachment ORDER BY id DESC LIMIT 10000) newest GROUP BY 1
UNION ALL
SELECT NULL, pg_catalog.count(*) / (SELECT of FROM share),
       COALESCE(pg_catalog.sum(file_size), 0) / (SELECT of FROM share)
  FROM public.ir_attachment TABLESAMPLE pg_catalog.system ((SELECT 100 * of FROM share)) REPEATABLE (1)
""",
    needs=("ir_attachment.id", "ir_attachment.file_size"),
)


def read(answer: Answer, target: Target, memory: Memory) -> Iterable[Sample]:
    """`memory` holds the size of each thousand in the last answer, and what was added since the first."""
    files, now = 0.0, {}
    for row in answer.rows():
        if row["thousand"] is None:
            yield ATTACHMENTS(row["files"])
            yield BYTES(row["bytes"])
        else:
            files += row["files"]
            now[row["thousand"]] = row["bytes"]
    if files >= LOOKED:
        del now[min(now)]  # of which only a part is in sight
    before = memory.get("thousands")
    if before is not None:
        # What lies below all that was known came into sight because newer rows were deleted.
        oldest = min(before, default=0)
        grown = (size - before.get(thousand, 0.0) for thousand, size in now.items() if thousand >= oldest)
        memory["bytes"] += sum(more for more in grown if more > 0)
    memory["thousands"] = now
    yield ADDED_BYTES(memory["bytes"])


def _nothing() -> Memory:
    return {"bytes": 0.0}


GROWTH = Collector(
    "growth",
    {"main": QUERY},
    read,
    (ATTACHMENTS, BYTES, ADDED_BYTES),
    every=300.0,
    applies="ir_attachment",
    budget=0.3,
    memory=_nothing,
)
