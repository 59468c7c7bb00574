-- After odoo_core.sql: Odoo 16 counts the calls of a cron, and leaves no trace of one that failed.

ALTER TABLE ir_cron ADD numbercall integer, ADD doall boolean;
INSERT INTO ir_module_module (name, state, latest_version) VALUES ('base', 'installed', '16.0.1.3');
