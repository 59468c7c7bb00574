-- The role that closewatch logs in with. It reads statistics, and no row of anybody's tables.
--
--     psql -v role=closewatch -d postgres -f grants.sql
--
-- Run it once on the primary of each cluster, as a superuser or as a role that may create roles and grant pg_monitor. It may be
-- run again at any time. Then set a password with \password closewatch, or let pg_hba.conf ask for a certificate.
--
-- Variables: role (default closewatch), connections (default 10), access_rules (default on).

\set ON_ERROR_STOP on
\if :{?role}
\else
    \set role closewatch
\endif
\if :{?connections}
\else
    \set connections 10
\endif
\if :{?access_rules}
\else
    \set access_rules on
\endif

SELECT pg_catalog.format('CREATE ROLE %I', :'role')
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = :'role') \gexec

-- A role that may do anything is not a role to watch with: whoever takes over the watcher would own the server.
SELECT pg_catalog.set_config('closewatch.role', :'role', false) \gset ignored_
DO $check$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles
                WHERE rolname = pg_catalog.current_setting('closewatch.role')
                  AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)) THEN
        RAISE EXCEPTION 'the role % exists and is privileged (superuser, createrole, createdb, replication or bypassrls)',
            pg_catalog.quote_ident(pg_catalog.current_setting('closewatch.role'))
            USING HINT = 'Choose another one: psql -v role=NAME';
    END IF;
END
$check$;

-- LOGIN, and INHERIT so that what is granted to it counts without SET ROLE. The limit: one session is held on each server and
-- two visit its databases at once; twice that, for a second closewatch; and a few for `closewatch check --connect`.
ALTER ROLE :"role" LOGIN INHERIT CONNECTION LIMIT :connections;

-- pg_monitor: pg_read_all_stats shows the sessions and standbys of others (without it their rows are there, but empty), the
-- sizes of databases, and the waiting WAL files (pg_ls_archive_statusdir); pg_read_all_settings shows on a standby whether it
-- has a primary (primary_conninfo, of which closewatch asks only whether it is empty).
GRANT pg_monitor TO :"role";

-- Two functions that PostgreSQL keeps from everybody else: the lines of pg_hba.conf (who gets in without a password, or in plain
-- text?) and the errors in the configuration files. They show addresses, names of roles and databases, and settings, most of
-- which pg_monitor shows anyway; no password, unless a line holds one of LDAP or RADIUS: then they are not granted. Only a
-- superuser can grant them. Without them closewatch says that it can't read pg_hba.conf; `access: {hba: false}` in its
-- configuration says that it needn't. To do without, or to take them back: -v access_rules=off.
SELECT pg_catalog.has_function_privilege('pg_catalog.pg_hba_file_rules()', 'EXECUTE WITH GRANT OPTION')
   AND pg_catalog.has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE WITH GRANT OPTION') AS owner \gset files_
\if :files_owner
    SELECT EXISTS (SELECT FROM pg_catalog.pg_hba_file_rules() AS line CROSS JOIN LATERAL pg_catalog.unnest(line.options) AS one
                    WHERE one LIKE 'ldapbindpasswd=%' OR one LIKE 'radiussecret%') AS secret \gset files_
    SELECT :'access_rules' = 'on' AND NOT :'files_secret' AS granted \gset files_
    \if :files_granted
        GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO :"role";
        GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() TO :"role";
    \else
        REVOKE EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() FROM :"role";
        REVOKE EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() FROM :"role";
        \echo 'pg_hba.conf stays unread: access_rules is off, or a line of it holds a password.'
    \endif
\else
    \echo 'pg_hba.conf stays unread: only a superuser can grant that.'
\endif

-- Nothing else. Where CONNECT was revoked from PUBLIC on the database that is named in the configuration (postgres by default):
--     GRANT CONNECT ON DATABASE postgres TO closewatch;
-- Where pg_stat_statements lives in a schema of its own:
--     GRANT USAGE ON SCHEMA extensions TO closewatch;
-- From 16 on, to still get in when all ordinary connections are taken, with reserved_connections above 0:
--     GRANT pg_use_reserved_connections TO closewatch;
