"""The tables of the sample ledger: those columns of Odoo 18's that a check of the books reads, with its constraints."""

TABLES = """
CREATE TABLE res_currency (
  id integer PRIMARY KEY, name varchar NOT NULL, symbol varchar NOT NULL, decimal_places integer,
  rounding numeric CHECK (rounding > 0), active boolean
);
CREATE TABLE res_company (
  id integer PRIMARY KEY, name varchar NOT NULL, currency_id integer NOT NULL, parent_id integer, active boolean,
  fiscalyear_lock_date date, tax_lock_date date, sale_lock_date date, purchase_lock_date date, hard_lock_date date,
  create_date timestamp, write_date timestamp
);
CREATE TABLE account_journal (
  id integer PRIMARY KEY, company_id integer NOT NULL, code varchar(5) NOT NULL, type varchar NOT NULL,
  name jsonb NOT NULL, active boolean, restrict_mode_hash_table boolean, refund_sequence boolean,
  payment_sequence boolean, sequence_override_regex text
);
CREATE TABLE account_account (
  id integer PRIMARY KEY, account_type varchar NOT NULL, name jsonb NOT NULL, code_store jsonb, deprecated boolean,
  reconcile boolean
);
CREATE TABLE account_move (
  id integer PRIMARY KEY, sequence_number integer, journal_id integer NOT NULL, company_id integer,
  partner_id integer, currency_id integer NOT NULL, secure_sequence_number integer, sequence_prefix varchar,
  name varchar, ref varchar, state varchar NOT NULL, move_type varchar NOT NULL, auto_post varchar NOT NULL,
  inalterable_hash varchar, payment_state varchar, date date NOT NULL, posted_before boolean,
  made_sequence_gap boolean, checked boolean, create_date timestamp, write_date timestamp
);
CREATE TABLE account_move_line (
  id integer PRIMARY KEY, move_id integer NOT NULL, journal_id integer, company_id integer,
  company_currency_id integer, account_id integer, currency_id integer NOT NULL, partner_id integer,
  move_name varchar, parent_state varchar, name varchar, display_type varchar NOT NULL, date date, debit numeric,
  credit numeric, balance numeric, amount_currency numeric, create_date timestamp, write_date timestamp,
  CHECK (display_type IN ('line_section', 'line_note') OR credit * debit = 0),
  CHECK (display_type IN ('line_section', 'line_note') OR account_id IS NOT NULL)
);
CREATE TABLE ir_module_module (
  id integer PRIMARY KEY, name varchar NOT NULL UNIQUE, state varchar(16), latest_version varchar
);
CREATE TABLE ir_config_parameter (
  id integer PRIMARY KEY, key varchar NOT NULL UNIQUE, value text NOT NULL, create_date timestamp,
  write_date timestamp
);
CREATE TABLE ir_attachment (
  id integer PRIMARY KEY, name varchar NOT NULL, res_model varchar, res_field varchar, res_id integer,
  type varchar NOT NULL, store_fname varchar, checksum varchar(40), file_size integer, mimetype varchar,
  db_datas bytea, create_date timestamp, write_date timestamp
);
"""

INDEXES = """
CREATE UNIQUE INDEX account_move_unique_name ON account_move (name, journal_id) WHERE state = 'posted' AND name <> '/';
CREATE INDEX account_move_sequence_index ON account_move (journal_id, sequence_prefix DESC, sequence_number DESC, name);
CREATE INDEX account_move__inalterable_hash_index ON account_move (inalterable_hash)
  WHERE inalterable_hash IS NOT NULL;
CREATE INDEX account_move_line__move_id_index ON account_move_line (move_id);
"""
