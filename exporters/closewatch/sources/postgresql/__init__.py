"""How PostgreSQL is asked, and PgBouncer in front of it: by libpq, with a deadline on every step."""
