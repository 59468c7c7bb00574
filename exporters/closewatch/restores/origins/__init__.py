"""Where backups come from: each origin lists them, and brings one back.

A *physical* origin fills a data folder and says how recovery fetches WAL; a *logical* one loads into a server that is
there already. Neither knows what is verified afterwards.
"""

from closewatch.restores.origins.base import Backup, Logical, Moment, Origin, Physical, Window

__all__ = ["Backup", "Logical", "Moment", "Origin", "Physical", "Window"]
