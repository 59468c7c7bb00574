-- After odoo_core.sql: Odoo 17 counts the calls of a cron, and leaves no trace of one that failed.

CREATE INDEX ir_cron_trigger__call_at_index ON ir_cron_trigger (call_at);
ALTER TABLE ir_cron ADD numbercall integer, ADD doall boolean;
INSERT INTO ir_module_module (name, state, latest_version) VALUES ('base', 'installed', '17.0.1.3');
