"""Plays an Odoo: its job runner, its worker and its scheduler, on a small database with the real tables.

It holds the sessions that Odoo holds, takes the runner's advisory lock, passes jobs through their states, moves crons
on, sends mail and keeps files. Two switches make it misbehave as real ones do: `dispatching` (the runner lives, but no
job reaches a worker) and `crons_fail`.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

from closewatch.engines.postgres import PostgresServer

RUNNER_LOCK = 2293787760715711918
"""The advisory lock that queue_job's runner holds in each database that it serves."""
_TICK = 0.5
_KEPT_JOBS = 400
_Connection = psycopg.Connection[tuple[Any, ...]]

_NEW_JOB = """
INSERT INTO queue_job (user_id, company_id, priority, retry, max_retries, job_function_id, name, model_name,
                       method_name, state, channel, date_created, exec_time)
SELECT 1, 1, 10, 0, 5, id, method, split_part(trim(leading '<' from name), '>', 1), method, 'pending', channel,
       now() AT TIME ZONE 'utc', 0
  FROM queue_job_function WHERE id = %s"""
_ENQUEUE = """
UPDATE queue_job SET state = 'enqueued', date_enqueued = now() AT TIME ZONE 'utc'
 WHERE id IN (SELECT id FROM queue_job WHERE state = 'pending' AND (eta IS NULL OR eta <= now() AT TIME ZONE 'utc')
               ORDER BY priority, id LIMIT 20)"""
_START = """
UPDATE queue_job SET state = 'started', date_started = now() AT TIME ZONE 'utc', retry = retry + 1, worker_pid = %s
 WHERE id = (SELECT min(id) FROM queue_job WHERE state = 'enqueued') RETURNING id"""
_LOCK = "SELECT id FROM queue_job_lock WHERE queue_job_id = %s FOR UPDATE"
_FINISH = """
UPDATE queue_job SET state = 'done', date_done = now() AT TIME ZONE 'utc',
       exec_time = extract(epoch FROM now() AT TIME ZONE 'utc' - date_started) WHERE id = %s"""
_FINISH_QUEUED = """
UPDATE queue_job SET state = 'done', date_started = now() AT TIME ZONE 'utc', date_done = now() AT TIME ZONE 'utc',
       exec_time = 0.01, retry = retry + 1 WHERE state = 'enqueued'"""
_VACUUM = "DELETE FROM queue_job WHERE state = 'done' AND id < (SELECT max(id) FROM queue_job) - %s"
_RUN_CRONS = """
UPDATE ir_cron
   SET lastcall = now() AT TIME ZONE 'utc',
       nextcall = now() AT TIME ZONE 'utc' + CASE WHEN %(fail)s THEN interval '5 seconds' ELSE make_interval(
           mins => CASE interval_type WHEN 'minutes' THEN interval_number WHEN 'hours' THEN 60 * interval_number
                                      ELSE 1440 * interval_number END) END,
       failure_count = CASE WHEN %(fail)s THEN coalesce(failure_count, 0) + 1 ELSE 0 END,
       first_failure_date = CASE WHEN %(fail)s THEN coalesce(first_failure_date, now() AT TIME ZONE 'utc') END
 WHERE active AND (nextcall <= now() AT TIME ZONE 'utc' OR (failure_count > 0) IS DISTINCT FROM %(fail)s)"""

# What is outgoing leaves after a while, as by a scheduled action, and is deleted, as Odoo does it by default.
_SEND_MAIL = """
DELETE FROM mail_mail
 WHERE state = 'outgoing' AND create_date < now() AT TIME ZONE 'utc' - interval '30 seconds'
   AND (scheduled_date IS NULL OR scheduled_date <= now() AT TIME ZONE 'utc')"""
_FETCH_MAIL = "UPDATE fetchmail_server SET date = now() AT TIME ZONE 'utc' WHERE active AND state = 'done'"
_NEW_INVOICE = """
WITH mail AS (
  INSERT INTO mail_mail (state, body_html, email_to, auto_delete, create_date, write_date)
  VALUES ('outgoing', '<p>Your invoice</p>', 'customer@example.com', true,
          now() AT TIME ZONE 'utc', now() AT TIME ZONE 'utc'))
INSERT INTO ir_attachment (name, type, file_size, create_date)
VALUES ('invoice.pdf', 'binary', 40000 + %s, now() AT TIME ZONE 'utc')"""


class OdooSimulator:
    """One database's Odoo. Loses its sessions when the server does, and comes back when it does."""

    def __init__(self, server: PostgresServer, database: str, role: str, password: str) -> None:
        self.database = database
        self.dispatching = True
        self.crons_fail = False
        self._dsn = psycopg.conninfo.make_conninfo(server.dsn(database, role, password), connect_timeout=3)
        self._stop = threading.Event()
        self._random = random.Random(database)
        self._threads = [
            threading.Thread(target=self._keep, args=(work,), name=f"{work.__name__}-{database}", daemon=True)
            for work in (self._run, self._work)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask it to end."""
        self._stop.set()

    def join(self) -> None:
        """Wait for its end; a session with a server that doesn't answer is left to end with the server."""
        for thread in self._threads:
            thread.join(timeout=2)

    def _keep(self, work: Callable[[_Connection], None]) -> None:
        """Do the work, with a new session whenever the server has ended it."""
        while not self._stop.is_set():
            try:
                with psycopg.connect(self._dsn, autocommit=True, application_name="odoo-4711") as connection:
                    work(connection)
            except psycopg.Error:
                self._stop.wait(_TICK)

    def _run(self, connection: _Connection) -> None:
        """The runner and the scheduler: new jobs come, runnable ones are handed out, due crons are run."""
        connection.execute("SELECT pg_advisory_lock(%s)", [RUNNER_LOCK])
        connection.execute("LISTEN queue_job")
        while not self._stop.wait(_TICK):
            if self._random.random() < _TICK:
                connection.execute(_NEW_JOB, [self._random.randint(1, 3)])
            if self.dispatching:
                connection.execute(_ENQUEUE)
            connection.execute(_RUN_CRONS, {"fail": self.crons_fail})
            if not self.crons_fail:  # mail is a scheduled action's work
                connection.execute(_SEND_MAIL)
                connection.execute(_FETCH_MAIL)
            if self._random.random() < _TICK / 2:
                connection.execute(_NEW_INVOICE, [self._random.randint(0, 100_000)])
            connection.execute(_VACUUM, [_KEPT_JOBS])

    def _work(self, connection: _Connection) -> None:
        """A worker: takes a job, holds its lock while it runs, and does at once what queued up behind it."""
        while not self._stop.wait(_TICK):
            if not self.dispatching:
                continue
            started = connection.execute(_START, [4712]).fetchone()
            if started is None:
                continue
            connection.execute("INSERT INTO queue_job_lock (queue_job_id) VALUES (%s)", started)
            with connection.transaction():
                connection.execute(_LOCK, started)
                time.sleep(self._random.uniform(0.2, 0.8))
                connection.execute(_FINISH, started)
            connection.execute(_FINISH_QUEUED)
