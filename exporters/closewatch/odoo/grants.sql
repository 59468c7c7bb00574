-- The rights that closewatch needs in one Odoo database: to read single columns, and nothing else.
--
--     psql -v role=closewatch -d odoo_acme -f grants.sql
--
-- Run it in each Odoo database, as a superuser or as the role that Odoo's tables belong to. The role itself is made by
-- postgresql/grants.sql. It may be run again at any time, and must be: after queue_job was installed, after an upgrade, and after
-- a restore (Odoo's own restore drops all grants; its duplicate keeps them). Tables and columns that this version of Odoo or
-- queue_job doesn't have are left out.
--
-- Columns, not tables or views. A table's grant would show passwords, keys and the arguments of jobs; a view on an Odoo table
-- makes Odoo's next upgrade fail. Of ir_config_parameter only the keys: its values include database.secret.
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
         ('ir_config_parameter', ARRAY['key']),
         ('ir_cron', ARRAY['active', 'failure_count', 'first_failure_date', 'id', 'interval_number', 'interval_type',
                           'lastcall', 'nextcall', 'numbercall']),
         ('ir_cron_trigger', ARRAY['call_at', 'cron_id']),
         ('ir_module_module', ARRAY['latest_version', 'name', 'state']),
         ('queue_job', ARRAY['channel', 'date_created', 'date_done', 'date_enqueued', 'date_started', 'eta', 'exc_name',
                             'graph_uuid', 'id', 'state']),
         ('queue_job_channel', ARRAY['complete_name', 'paused'])
       ) AS need (relation, columns)
  JOIN pg_catalog.pg_class c ON c.relname = need.relation AND c.relnamespace = 'public'::pg_catalog.regnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = ANY (need.columns) AND NOT a.attisdropped
 GROUP BY c.relname
 ORDER BY c.relname \gexec
