"""Drills: real backups, sabotaged on purpose, and restore tests that must notice; healthy ones must pass.

`closewatch drill restores` makes a cluster under write load, backs it up by every tool at hand, damages a copy in each
way that is known to happen, and compares what a restore test says with what was done.
"""
