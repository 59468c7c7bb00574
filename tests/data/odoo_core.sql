-- What closewatch reads of an Odoo database, as far as it is the same in 15 to 19, and two tables that it must not read. One of
-- odoo_15.sql to odoo_19.sql follows. No rows but the version's: each test writes its own.

CREATE TABLE ir_module_module (
    id serial PRIMARY KEY,
    name varchar NOT NULL UNIQUE,
    state varchar(16),
    latest_version varchar
);
CREATE INDEX ir_module_module_state_index ON ir_module_module (state);

CREATE TABLE ir_config_parameter (id serial PRIMARY KEY, key varchar NOT NULL UNIQUE, value text NOT NULL);
INSERT INTO ir_config_parameter (key, value) VALUES ('database.secret', 'not-for-us'), ('database.uuid', '0');

CREATE TABLE ir_cron (
    id serial PRIMARY KEY,
    cron_name varchar,
    active boolean,
    interval_number integer,
    interval_type varchar,
    nextcall timestamp NOT NULL,
    lastcall timestamp,
    priority integer
);

CREATE TABLE ir_cron_trigger (
    id serial PRIMARY KEY,
    cron_id integer REFERENCES ir_cron ON DELETE CASCADE,
    call_at timestamp
);
CREATE INDEX ir_cron_trigger_cron_id_index ON ir_cron_trigger (cron_id);

CREATE TABLE res_users (id serial PRIMARY KEY, login varchar NOT NULL, password varchar, totp_secret varchar);
INSERT INTO res_users (login, password, totp_secret) VALUES ('admin', 'not-for-us', 'not-for-us');
