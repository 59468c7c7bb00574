"""Real servers on loopback for the demo and the tests: PostgreSQL, Prometheus, Alertmanager, and a proxy with faults.

Nothing here knows what closewatch measures. Each engine lives in a `RunFolder`, which ends every process and removes
every file that it made, whatever happens to the program that made them.
"""
