"""`closewatch receive`: take what Alertmanagers send, and keep it as records."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from closewatch.cli.common import ConfigFile, LogFormat, LogLevel, fail, loaded

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def receive(
    config: ConfigFile,
    listen: Annotated[
        str, typer.Option("--web.listen-address", help="Where to listen; on loopback unless told otherwise.")
    ] = "127.0.0.1:10188",
    web_config: Annotated[
        Path | None, typer.Option("--web.config.file", help="TLS and basic auth, in the form of Prometheus' exporters.")
    ] = None,
    log_format: LogFormat = "json",
    log_level: LogLevel = "info",
) -> None:
    """Take the notifications of Alertmanagers by webhook, POST /notifications/TARGET, and keep each as a record."""
    from closewatch.core import log
    from closewatch.core.problems import ConfigError
    from closewatch.core.web import Server
    from closewatch.receive import LIMITS, Receiver

    # Waited for, not handled: a handler would run between any two lines of the main thread. Threads inherit the mask.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    settings = loaded(config)
    if settings.records is None:
        fail(f"{config}: records: is missing: write where results are kept: records: {{path: FILE}}")
    try:
        log.setup(log_format, log_level)
        receiver = Receiver(settings)
        if not receiver.targets:
            fail(f"{config}: targets: there is none of kind alertmanager")
        server = Server(listen, receiver.routes(), web_config, LIMITS, receiver.bodies())
    except (ConfigError, ValueError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"--web.listen-address {listen}: {error.strerror or error}")
    server.start()
    while signal.sigwait(SIGNALS) == signal.SIGHUP:
        pass  # the web configuration is read anew by itself; the rest is taken up by a restart, as in `work`
    server.stop()
    receiver.close()
