-- An Odoo 18 database with OCA queue_job as small as can be: the tables that say whether its background work goes well, with the
-- column names and types of the real ones, and a few books, about whose entries sessions may quarrel. Made for the demo.

CREATE TABLE ir_module_module (
    id serial PRIMARY KEY,
    name varchar NOT NULL UNIQUE,
    state varchar(16),
    latest_version varchar,
    shortdesc jsonb,
    write_date timestamp
);
INSERT INTO ir_module_module (name, state, latest_version, shortdesc, write_date)
SELECT name, state, version, jsonb_build_object('en_US', title), now() AT TIME ZONE 'utc'
  FROM (VALUES ('base', 'installed', '18.0.1.3', 'Base'),
               ('account', 'installed', '18.0.1.3', 'Invoicing'),
               ('account_payment', 'installed', '18.0.2.0', 'Payment - Account'),
               ('queue_job', 'installed', '18.0.4.1.2', 'Job Queue'),
               ('hr_payroll', 'uninstalled', NULL, 'Payroll')) AS module (name, state, version, title);

CREATE TABLE ir_config_parameter (
    id serial PRIMARY KEY,
    key varchar NOT NULL UNIQUE,
    value text NOT NULL,
    create_date timestamp,
    write_date timestamp
);
INSERT INTO ir_config_parameter (key, value)
VALUES ('database.uuid', gen_random_uuid()::text), ('web.base.url', 'http://127.0.0.1:8069');

CREATE TABLE ir_cron (
    id serial PRIMARY KEY,
    ir_actions_server_id integer NOT NULL,
    user_id integer NOT NULL,
    interval_number integer NOT NULL CHECK (interval_number > 0),
    priority integer,
    failure_count integer,
    cron_name varchar,
    interval_type varchar NOT NULL,
    active boolean,
    nextcall timestamp NOT NULL,
    lastcall timestamp,
    first_failure_date timestamp,
    create_date timestamp,
    write_date timestamp
);
INSERT INTO ir_cron (ir_actions_server_id, user_id, interval_number, interval_type, priority, failure_count, cron_name, active,
                     nextcall, lastcall)
SELECT number, 1, every, unit, 5, 0, name, active, (now() AT TIME ZONE 'utc') + make_interval(secs => 4 * number),
       (now() AT TIME ZONE 'utc') - make_interval(secs => 4 * number)
  FROM (VALUES (1, 'Base: Auto-vacuum internal data', 1, 'days', true),
               (2, 'Mail: Email Queue Manager', 1, 'minutes', true),
               (3, 'Account: Post draft entries with auto_post enabled and accounting date up to today', 1, 'minutes', true),
               (4, 'Payment: Post-process transactions', 1, 'minutes', true),
               (5, 'Send invoices automatically', 1, 'minutes', true),
               (6, 'AutoVacuum Job Queue', 1, 'days', true),
               (7, 'Digest Emails', 1, 'days', false),
               (8, 'Mail: Fetchmail Service', 5, 'minutes', false)) AS cron (number, name, every, unit, active);

CREATE TABLE ir_cron_trigger (
    id serial PRIMARY KEY,
    cron_id integer REFERENCES ir_cron ON DELETE CASCADE,
    call_at timestamp,
    create_date timestamp
);
CREATE INDEX ir_cron_trigger__call_at_index ON ir_cron_trigger (call_at);

CREATE TABLE queue_job_channel (
    id serial PRIMARY KEY,
    parent_id integer REFERENCES queue_job_channel,
    removal_interval integer NOT NULL DEFAULT 30,
    name varchar,
    complete_name varchar UNIQUE,
    capacity integer,
    throttle integer,
    sequential boolean,
    paused boolean
);
INSERT INTO queue_job_channel (parent_id, name, complete_name, capacity)
VALUES (NULL, 'root', 'root', 4), (1, 'invoicing', 'root.invoicing', 2), (1, 'bank', 'root.bank', 1), (1, 'edi', 'root.edi', 1);

CREATE TABLE queue_job_function (
    id serial PRIMARY KEY,
    channel_id integer NOT NULL REFERENCES queue_job_channel,
    name varchar,
    method varchar,
    channel varchar,
    retry_pattern jsonb,
    related_action jsonb
);
INSERT INTO queue_job_function (channel_id, name, method, channel)
VALUES (2, '<account.move>.send_by_mail', 'send_by_mail', 'root.invoicing'),
       (3, '<account.bank.statement>.fetch', 'fetch', 'root.bank'),
       (4, '<account.edi.document>.process', 'process', 'root.edi');

CREATE TABLE queue_job (
    id serial PRIMARY KEY,
    user_id integer,
    company_id integer,
    priority integer,
    retry integer,
    max_retries integer,
    job_function_id integer,
    worker_pid integer,
    uuid varchar NOT NULL DEFAULT gen_random_uuid()::text UNIQUE,
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
    exec_time double precision
);
CREATE INDEX queue_job__state_index ON queue_job (state);
CREATE INDEX queue_job__channel_index ON queue_job (channel);
CREATE INDEX queue_job__channel_date_index ON queue_job (channel, date_done, date_created);

CREATE TABLE queue_job_lock (
    id serial PRIMARY KEY,
    queue_job_id integer NOT NULL REFERENCES queue_job ON DELETE CASCADE
);
CREATE INDEX queue_job_lock__queue_job_id_index ON queue_job_lock (queue_job_id);

-- A past: what was done this morning, and two that failed and that nobody has looked at yet.
INSERT INTO queue_job (user_id, company_id, priority, retry, max_retries, job_function_id, name, model_name, method_name, state,
                       channel, date_created, date_enqueued, date_started, date_done, exec_time)
SELECT 1, 1, 10, 1, 5, 1, 'Send invoice by mail', 'account.move', 'send_by_mail', 'done', 'root.invoicing',
       at, at, at, at + interval '1 second', 1.0
  FROM (SELECT (now() AT TIME ZONE 'utc') - make_interval(mins => 121 - number) AS at FROM generate_series(1, 120) AS number) AS past;
INSERT INTO queue_job (user_id, company_id, priority, retry, max_retries, job_function_id, name, model_name, method_name, state,
                       exc_name, channel, date_created, date_enqueued, date_started, exec_time)
SELECT 1, 1, 10, 5, 5, 3, 'Send electronic invoice', 'account.edi.document', 'process', 'failed', error, 'root.edi', at, at, at, 0
  FROM (VALUES ('odoo.exceptions.UserError'), ('requests.exceptions.ConnectionError')) AS failure (error),
       (SELECT (now() AT TIME ZONE 'utc') - interval '3 hours' AS at) AS past;

-- Mail: what leaves and what comes in. The simulator sends what is outgoing, and looks into the mailbox.
CREATE TABLE mail_mail (
    id serial PRIMARY KEY,
    state varchar,
    failure_type varchar,
    failure_reason text,
    body_html text,
    email_to text,
    auto_delete boolean,
    scheduled_date timestamp,
    create_date timestamp,
    write_date timestamp
);
INSERT INTO mail_mail (state, failure_type, failure_reason, body_html, email_to, auto_delete, scheduled_date, create_date,
                       write_date)
SELECT state, kind, reason, '<p>Your invoice</p>', 'customer@example.com', true, planned, at, at
  FROM (SELECT (now() AT TIME ZONE 'utc') AS now, (now() AT TIME ZONE 'utc') - interval '2 hours' AS at) AS time,
       LATERAL (VALUES ('exception', 'mail_email_invalid', 'Invalid address', NULL),
                       ('outgoing', NULL, NULL, now + interval '3 days')) AS mail (state, kind, reason, planned);

INSERT INTO mail_mail (state, body_html, email_to, auto_delete, create_date, write_date)
VALUES ('outgoing', '<p>Your invoice</p>', 'customer@example.com', true, now() AT TIME ZONE 'utc', now() AT TIME ZONE 'utc');

CREATE TABLE fetchmail_server (
    id serial PRIMARY KEY,
    name varchar NOT NULL,
    state varchar,
    server varchar,
    server_type varchar NOT NULL DEFAULT 'imap',
    password varchar,
    active boolean,
    date timestamp,
    create_date timestamp,
    write_date timestamp
);
INSERT INTO fetchmail_server (name, state, active, date)
VALUES ('Vendor bills', 'done', true, now() AT TIME ZONE 'utc'), ('Old mailbox', 'draft', false, NULL);

CREATE TABLE ir_attachment (
    id serial PRIMARY KEY,
    name varchar NOT NULL,
    type varchar NOT NULL,
    store_fname varchar,
    file_size integer,
    create_date timestamp
);
INSERT INTO ir_attachment (name, type, file_size, create_date)
SELECT format('invoice-%s.pdf', number), 'binary', 20000 + 977 * (number % 50), now() AT TIME ZONE 'utc'
  FROM generate_series(1, 2000) AS number;

-- The books: companies, currencies and their rates, journals, entries. Statements come into the bank journal twice a day.
CREATE TABLE res_currency (id serial PRIMARY KEY, name varchar NOT NULL, active boolean, decimal_places integer);
INSERT INTO res_currency (name, active, decimal_places)
VALUES ('EUR', true, 2), ('USD', true, 2), ('CHF', true, 2), ('JPY', false, 0);

CREATE TABLE res_company (id serial PRIMARY KEY, name varchar NOT NULL, parent_id integer, currency_id integer NOT NULL);
INSERT INTO res_company (name, currency_id) VALUES ('The company', 1);

CREATE TABLE res_currency_rate (
    id serial PRIMARY KEY,
    name date NOT NULL,
    rate numeric,
    currency_id integer NOT NULL,
    company_id integer,
    UNIQUE (name, currency_id, company_id)
);
CREATE INDEX res_currency_rate__name_index ON res_currency_rate (name);
INSERT INTO res_currency_rate (name, rate, currency_id, company_id)
SELECT current_date - day, 1.05 + day / 1000.0, currency, 1 FROM generate_series(0, 90) AS day, generate_series(2, 3) AS currency;

CREATE TABLE account_journal (
    id serial PRIMARY KEY,
    code varchar(5) NOT NULL,
    type varchar NOT NULL,
    active boolean,
    company_id integer NOT NULL
);
INSERT INTO account_journal (code, type, active, company_id)
VALUES ('INV', 'sale', true, 1), ('BILL', 'purchase', true, 1), ('BNK1', 'bank', true, 1), ('MISC', 'general', true, 1);

CREATE TABLE account_move (
    id serial PRIMARY KEY,
    name varchar,
    state varchar NOT NULL,
    date date NOT NULL,
    move_type varchar NOT NULL DEFAULT 'entry',
    payment_state varchar,
    auto_post varchar NOT NULL DEFAULT 'no',
    journal_id integer NOT NULL DEFAULT 1,
    company_id integer DEFAULT 1,
    currency_id integer NOT NULL DEFAULT 1,
    statement_line_id integer,
    sequence_prefix varchar,
    sequence_number integer,
    amount_total numeric,
    create_date timestamp DEFAULT (now() AT TIME ZONE 'utc'),
    write_date timestamp DEFAULT (now() AT TIME ZONE 'utc')
);
CREATE INDEX account_move_payment_idx ON account_move (journal_id, state, payment_state, move_type, date);
CREATE INDEX account_move_sequence_index2 ON account_move (journal_id, id DESC, sequence_prefix);
INSERT INTO account_move (name, state, date, move_type, currency_id, amount_total)
SELECT format('INV/%s/%s', extract(year FROM current_date), lpad(number::text, 5, '0')), 'posted', current_date, 'out_invoice',
       1 + number % 3, 100 + number
  FROM generate_series(1, 200) AS number;
INSERT INTO account_move (name, state, date, journal_id, statement_line_id, amount_total, create_date)
SELECT format('BNK1/%s', number), 'posted', current_date, 3, number, 10 + number,
       (now() AT TIME ZONE 'utc') - make_interval(hours => 12 * (40 - number))
  FROM generate_series(1, 40) AS number;
INSERT INTO account_move (name, state, date, journal_id, auto_post, amount_total)
SELECT '/', 'draft', current_date + 30 * number, 4, 'at_date', 50 FROM generate_series(1, 12) AS number;
UPDATE account_move SET sequence_prefix = left(name, length(name) - length(substring(name FROM '[0-9]+$'))),
       sequence_number = substring(name FROM '[0-9]+$')::integer
 WHERE name ~ '[0-9]$';

-- What is booked is booked twice: a restore test looks whether it balances.
CREATE TABLE account_move_line (
    id serial PRIMARY KEY,
    move_id integer NOT NULL,
    company_id integer,
    company_currency_id integer,
    currency_id integer NOT NULL,
    account_id integer,
    partner_id integer,
    name varchar,
    parent_state varchar,
    date date,
    debit numeric,
    credit numeric,
    balance numeric
);
CREATE INDEX account_move_line__move_id_index ON account_move_line (move_id);
INSERT INTO account_move_line (move_id, company_id, company_currency_id, currency_id, account_id, name, parent_state,
    date, debit, credit, balance)
SELECT id, company_id, 1, 1, account, move.name, state, date, amount_total * debit, amount_total * (1 - debit),
       amount_total * (2 * debit - 1)
  FROM account_move AS move CROSS JOIN (VALUES (1, 1), (2, 0)) AS side (account, debit);
