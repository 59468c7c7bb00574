-- The rights that closewatch needs in one Odoo database: to read single columns, and nothing else.
--
--     psql -v role=closewatch -d odoo_acme -f grants.sql
--
-- Run it in each Odoo database, as a superuser or as the role that Odoo's tables belong to. The role itself is made by
-- postgresql/grants.sql. It may be run again at any time, and must be: after a module was installed (queue_job, mail, accounting, a
-- bank feed), after an upgrade, and after a restore (Odoo's own restore drops all grants; its duplicate keeps them). Tables and
-- columns that this version of Odoo or of a module doesn't have are left out.
--
-- Columns, not tables or views. A table's grant would show passwords, keys and the arguments of jobs; a view on an Odoo table
-- makes Odoo's next upgrade fail. Of ir_config_parameter only the keys: its values include database.secret. Of mails, files and
-- entries only ids, states, times and sizes: no address, text, name or amount.
--
-- Variable: role (default closewatch).

\set ON_ERROR_STOP on
\if :{?role}
\else
    \set role closewatch
\endif

GRANT USAGE ON SCHEMA public TO :"role";

SELECT pg_catalog.format('GRANT SELECT (%s) ON public.%I TO %I',
                         pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attname), c.relname, :'role')
  FROM (VALUES
         ('account_journal', ARRAY['active', 'id', 'type']),
         ('account_move', ARRAY['auto_post', 'company_id', 'create_date', 'currency_id', 'date', 'id', 'journal_id',
                                'move_type', 'payment_state', 'state', 'statement_line_id']),
         ('account_online_link', ARRAY['auto_sync', 'last_refresh', 'state']),
         ('fetchmail_server', ARRAY['active', 'create_date', 'date', 'error_date', 'server_type', 'state', 'write_date']),
         ('ir_attachment', ARRAY['file_size', 'id']),
         ('ir_config_parameter', ARRAY['key']),
         ('ir_cron', ARRAY['active', 'failure_count', 'first_failure_date', 'id', 'interval_number', 'interval_type',
                           'lastcall', 'nextcall', 'numbercall']),
         ('ir_cron_trigger', ARRAY['call_at', 'cron_id']),
         ('ir_module_module', ARRAY['latest_version', 'name', 'state']),
         ('mail_mail', ARRAY['create_date', 'failure_type', 'id', 'scheduled_date', 'state', 'write_date']),
         ('online_bank_statement_provider', ARRAY['active', 'last_successful_run']),
         ('queue_job', ARRAY['channel', 'date_created', 'date_done', 'date_enqueued', 'date_started', 'eta', 'exc_name',
                             'exec_time', 'graph_uuid', 'id', 'method_name', 'model_name', 'state']),
         ('queue_job_channel', ARRAY['capacity', 'complete_name', 'id', 'paused', 'sequential']),
         ('res_company', ARRAY['currency_id', 'id', 'parent_id']),
         ('res_currency', ARRAY['active', 'id']),
         ('res_currency_rate', ARRAY['company_id', 'currency_id', 'name'])
       ) AS need (relation, columns)
  JOIN pg_catalog.pg_class c ON c.relname = need.relation AND c.relnamespace = 'public'::pg_catalog.regnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = ANY (need.columns) AND NOT a.attisdropped
 GROUP BY c.relname
 ORDER BY c.relname \gexec
