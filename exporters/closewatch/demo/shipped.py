"""What is shipped for Prometheus and Alertmanager, in the form in which the demo runs it."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from closewatch.alerting import build_runbooks, rendered, shortened
from closewatch.engines.folder import HOST, free_port
from closewatch.resources import find_data

FACTOR = 30
"""How many times shorter a rule's `for` is: a minute becomes two seconds. All by the same, so their order stays."""


def rules(runbook_base: str) -> dict[str, str]:
    """The rule files by name, faster, with links to runbooks that can be read here."""
    return {
        path.name: _shortened(rendered(path.read_text(encoding="utf-8"), runbook_base))
        for path in sorted(find_data("alerting/rules").glob("*.yml"))
    }


def alertmanager_config() -> str:
    """The text of alertmanager.yml."""
    return (find_data("alerting/alertmanager") / "alertmanager.yml").read_text(encoding="utf-8")


def alertmanager_templates() -> dict[str, str]:
    """The templates of its messages, by the path that alertmanager.yml expects."""
    folder = find_data("alerting/alertmanager") / "templates"
    return {f"templates/{path.name}": path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.tmpl"))}


class RunbookPages:
    """The runbooks as plain pages on loopback: a page of the demo links to what on-call would read."""

    def __init__(self, folder: Path) -> None:
        build_runbooks(folder)
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._server = ThreadingHTTPServer((HOST, self.port), partial(_Quiet, directory=str(folder)))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="runbooks", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Silent: the demo's terminal is not a log."""


def _shortened(text: str) -> str:
    return yaml.safe_dump(shortened(yaml.safe_load(text), FACTOR), sort_keys=False, allow_unicode=True, width=1000)
