-- After odoo_operations_16.sql: Odoo 19 keeps a mailbox's error until its next success.

ALTER TABLE fetchmail_server ADD error_date timestamp, ADD error_message text;
