-- After odoo_queue_job_2024.sql: queue_job as it first came to Odoo 15, without graphs and the exception's class.

ALTER TABLE queue_job DROP graph_uuid, DROP exc_name, DROP exc_message, DROP worker_pid;
