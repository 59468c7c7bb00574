"""Where records and the copies of their signed heads are kept, as is configured; `core.records` has the rest."""
