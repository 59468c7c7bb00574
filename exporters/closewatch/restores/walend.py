"""Up to which position in its WAL a cluster was recovered, so that it can be told whether the source wrote more.

It is asked before the server is started anew: until then a recovered server remembers it. The last record of an
archive is mostly a switch to the next segment, which counts up to that segment's begin; there, and at each page, a
header stands before the next record. A source that wrote nothing more says where its next record begins, and so does
this.

Source: pg_last_wal_replay_lsn(), pg_control_checkpoint() (the checkpoint that ends recovery names the timeline that was
recovered as the one before), src/include/access/xlog_internal.h (SizeOfXLogLongPHD, SizeOfXLogShortPHD).
"""

from __future__ import annotations

from typing import Any

from closewatch.restores.server import MAINTENANCE, Server

SEGMENT_HEADER = 40
"""Bytes at the begin of a segment's first page."""
PAGE_HEADER = 24
"""Bytes at the begin of each other page."""

_QUESTION = """
SELECT system_identifier::text, prev_timeline_id,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0')::int8,
       pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size')),
       pg_catalog.current_setting('wal_block_size')::int4
  FROM pg_catalog.pg_control_system() CROSS JOIN pg_catalog.pg_control_checkpoint()
"""


def wal_end(server: Server) -> dict[str, Any] | None:
    """For the record: cluster, timeline, and where the next record would begin, in bytes from 0/0.

    None where no WAL was replayed, or the server was started since.
    """
    with server.connect(MAINTENANCE) as connection:
        row = connection.execute(_QUESTION).fetchone()
    if row is None or row[2] is None:
        return None
    system, timeline, end, segment, page = row
    return {"system_identifier": system, "timeline": timeline, "position": next_record(end, segment, page)}


def next_record(end: int, segment: int, page: int) -> int:
    """Where a record begins that follows one which ends at `end`; all are bytes."""
    if end % segment == 0:
        return end + SEGMENT_HEADER
    return end + PAGE_HEADER if end % page == 0 else end
