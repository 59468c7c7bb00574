-- After odoo_core.sql and a version: mail, files and the accounting, as far as closewatch reads them and they are the same in Odoo
-- 15 to 19, with the indexes that its statements rest on, and some columns that it must not read. No rows.

CREATE TABLE mail_mail (
    id serial PRIMARY KEY,
    mail_message_id integer,
    state varchar,
    failure_type varchar,
    failure_reason text,
    body_html text,
    email_to text,
    auto_delete boolean,
    create_date timestamp,
    write_date timestamp
);

CREATE TABLE fetchmail_server (
    id serial PRIMARY KEY,
    name varchar NOT NULL,
    active boolean,
    state varchar,
    server_type varchar NOT NULL DEFAULT 'imap',
    password varchar,
    date timestamp,
    create_date timestamp,
    write_date timestamp
);

CREATE TABLE ir_attachment (
    id serial PRIMARY KEY,
    name varchar NOT NULL,
    type varchar NOT NULL DEFAULT 'binary',
    store_fname varchar,
    db_datas bytea,
    file_size integer,
    create_date timestamp
);

CREATE TABLE res_currency (id serial PRIMARY KEY, name varchar NOT NULL, active boolean);
CREATE TABLE res_company (id serial PRIMARY KEY, name varchar NOT NULL, parent_id integer, currency_id integer NOT NULL);
CREATE TABLE res_currency_rate (
    id serial PRIMARY KEY,
    name date NOT NULL,
    rate numeric,
    currency_id integer NOT NULL,
    company_id integer,
    CONSTRAINT res_currency_rate_unique_name_per_day UNIQUE (name, currency_id, company_id)
);
CREATE INDEX res_currency_rate_name_index ON res_currency_rate (name);

CREATE TABLE account_journal (
    id serial PRIMARY KEY,
    code varchar(5) NOT NULL,
    type varchar NOT NULL,
    active boolean,
    company_id integer NOT NULL
);

CREATE TABLE account_move (
    id serial PRIMARY KEY,
    sequence_prefix varchar,
    sequence_number integer,
    name varchar,
    ref varchar,
    date date NOT NULL,
    state varchar NOT NULL,
    move_type varchar NOT NULL DEFAULT 'entry',
    payment_state varchar,
    journal_id integer NOT NULL,
    company_id integer,
    currency_id integer NOT NULL,
    statement_line_id integer,
    amount_total numeric,
    create_date timestamp,
    write_date timestamp
);
CREATE INDEX account_move_date_index ON account_move (date);
CREATE INDEX account_move_payment_idx ON account_move (journal_id, state, payment_state, move_type, date);
CREATE INDEX account_move_sequence_index ON account_move (journal_id, sequence_prefix DESC, sequence_number DESC, name);
CREATE INDEX account_move_sequence_index2 ON account_move (journal_id, id DESC, sequence_prefix);
