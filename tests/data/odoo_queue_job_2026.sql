-- After odoo_queue_job_2024.sql: channels are configured in the database, and running jobs hold a lock.

ALTER TABLE queue_job_channel
    ADD capacity integer,
    ADD throttle integer,
    ADD capacity_default integer,
    ADD sequential boolean,
    ADD sequential_default boolean,
    ADD paused boolean;
CREATE INDEX queue_job_channel_date_done_date_created_index ON queue_job (channel, date_done, date_created);

CREATE TABLE queue_job_lock (
    id serial PRIMARY KEY,
    queue_job_id integer NOT NULL REFERENCES queue_job ON DELETE CASCADE
);
CREATE INDEX queue_job_lock_queue_job_id_index ON queue_job_lock (queue_job_id);
