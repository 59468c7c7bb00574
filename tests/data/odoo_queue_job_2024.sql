-- OCA queue_job as of late 2022 to 2024: its tables with all columns and indexes, since the plan and the size of a row matter. The
-- types of records, args and kwargs are those of Odoo 18; before, they were text.

CREATE TABLE queue_job (
    id serial PRIMARY KEY,
    user_id integer,
    company_id integer,
    priority integer,
    retry integer,
    max_retries integer,
    job_function_id integer,
    worker_pid integer,
    uuid varchar NOT NULL,
    graph_uuid varchar,
    name varchar,
    model_name varchar,
    method_name varchar,
    func_string varchar,
    state varchar NOT NULL,
    exc_name varchar,
    exc_message varchar,
    channel_method_name varchar,
    channel varchar,
    identity_key varchar,
    records jsonb,
    args jsonb,
    kwargs jsonb,
    dependencies text,
    exc_info text,
    result text,
    date_created timestamp,
    date_started timestamp,
    date_enqueued timestamp,
    date_done timestamp,
    date_cancelled timestamp,
    eta timestamp,
    exec_time float8
);
CREATE INDEX queue_job_channel_index ON queue_job (channel);
CREATE INDEX queue_job_company_id_index ON queue_job (company_id);
CREATE INDEX queue_job_graph_uuid_index ON queue_job (graph_uuid);
CREATE INDEX queue_job_state_index ON queue_job (state);
CREATE INDEX queue_job_uuid_index ON queue_job (uuid);
CREATE INDEX queue_job_identity_key_state_partial_index ON queue_job (identity_key)
    WHERE state IN ('pending', 'enqueued', 'wait_dependencies') AND identity_key IS NOT NULL;

CREATE TABLE queue_job_channel (
    id serial PRIMARY KEY,
    name varchar,
    complete_name varchar UNIQUE,
    parent_id integer REFERENCES queue_job_channel ON DELETE RESTRICT,
    removal_interval integer NOT NULL DEFAULT 30
);
INSERT INTO queue_job_channel (name, complete_name) VALUES ('root', 'root');
