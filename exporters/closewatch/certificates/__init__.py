"""Certificates: will clients still be let in tomorrow, and is what they meet what was meant for them?

Watches a set of places as one target: files and folders, live endpoints (TLS, and STARTTLS of PostgreSQL, SMTP and
IMAP), Traefik's `acme.json`, TLS secrets of Kubernetes. Endpoints are read unverified first and verified afterwards,
so that an expiry stays visible whatever else is wrong; and what an endpoint serves is compared with the file that it
should serve. Series carry the name of the place, never a serial number or a fingerprint: a renewed certificate changes
values, and leaves nothing behind.

Nothing is logged in to, nothing is written, and no key is kept.
"""

from closewatch.certificates.expiry import EXPIRY
from closewatch.certificates.reload import RELOAD
from closewatch.certificates.verification import VERIFICATION
from closewatch.core.collectors import Collector

COLLECTORS: tuple[Collector, ...] = (EXPIRY, VERIFICATION, RELOAD)
