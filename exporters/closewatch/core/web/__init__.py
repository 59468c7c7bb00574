"""The HTTP side of closewatch: a small, careful server for Prometheus, and a page for people.

A route is a function from a request to a response; the server owns what every route needs: limits, TLS, who may ask.
"""

from closewatch.core.web.messages import Headers, Request, Response, Route
from closewatch.core.web.server import Limits, Server

__all__ = ["Headers", "Limits", "Request", "Response", "Route", "Server"]
