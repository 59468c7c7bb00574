-- After odoo_operations.sql: in Odoo 15 a mail's planned time is text, and automatic posting is on or off.

ALTER TABLE mail_mail ADD scheduled_date varchar;
ALTER TABLE account_move ADD auto_post boolean;
