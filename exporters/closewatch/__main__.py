"""`python -m closewatch`."""

from closewatch.cli import main

main()
