#!/bin/sh
# Run once by PostgreSQL's image when it makes the database: the role that closewatch logs in as, and its password.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres --quiet \
    --set role=closewatch --file "${GRANTS:-/closewatch/grants.sql}"
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres --quiet <<SQL
\set password \`cat "${PASSWORD_FILE:-/run/secrets/closewatch}"\`
ALTER ROLE closewatch PASSWORD :'password';
SQL
