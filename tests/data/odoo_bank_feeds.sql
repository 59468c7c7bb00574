-- After odoo_operations.sql: the feeds of Odoo Enterprise and of OCA, each with a secret that closewatch must not read. No rows.

CREATE TABLE account_online_link (
    id serial PRIMARY KEY,
    name varchar,
    state varchar NOT NULL,
    auto_sync boolean,
    last_refresh timestamp,
    access_token varchar
);
CREATE TABLE online_bank_statement_provider (
    id serial PRIMARY KEY,
    journal_id integer NOT NULL,
    active boolean,
    last_successful_run timestamp,
    next_run timestamp NOT NULL,
    password varchar
);
