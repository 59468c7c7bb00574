-- After odoo_core.sql: Odoo 19 counts a cron's failures, and no longer its calls.

CREATE INDEX ir_cron_trigger__call_at_index ON ir_cron_trigger (call_at);
ALTER TABLE ir_cron ADD failure_count integer, ADD first_failure_date timestamp;
INSERT INTO ir_module_module (name, state, latest_version) VALUES ('base', 'installed', '19.0.1.3');
