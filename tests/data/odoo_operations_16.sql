-- After odoo_operations.sql: since Odoo 16 a mail's planned time is a time, and automatic posting says how often.

ALTER TABLE mail_mail ADD scheduled_date timestamp;
ALTER TABLE account_move ADD auto_post varchar NOT NULL DEFAULT 'no';
