"""Checks of a ledger that need nothing but the standard library: rows in, findings out. They ask nobody for anything.

A caller reads the rows (a restored copy, later a live database in slices) and hands them over as iterables, so that no
ledger has to fit into memory. Amounts are `decimal.Decimal`; the one exception is the hash, which Odoo makes of floats.
"""
