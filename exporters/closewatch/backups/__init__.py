"""Backups: is there a good one, is it new enough, and is it as large as ever?

A target is one place with the backups of one thing: a folder, a prefix in a bucket, or what a tool keeps (see
`builders`). A file counts by its content, not by its name: a dump that was cut short, an Odoo zip without its filestore
or an empty archive is a failed backup, however new it is. The layers here: a store (`closewatch.sources`) lists and
reads ranges; `formats` says what a file is; `judge` says whether that is a good backup; `place` joins them to a source.
Each tool has a small file of its own, which asks it, and makes rows of what it says.
"""

from closewatch.backups.age import AGE
from closewatch.backups.bucket import BUCKET
from closewatch.backups.kept import KEEPING
from closewatch.backups.verification import VERIFICATION
from closewatch.backups.window import WINDOW
from closewatch.core.collectors import Collector

COLLECTORS: tuple[Collector, ...] = (AGE, WINDOW, KEEPING, VERIFICATION, BUCKET)
