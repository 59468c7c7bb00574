"""The command line."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Annotated

import typer

from closewatch import __version__
from closewatch.cli import drill, figures, receive, records, work
from closewatch.cli.common import ConfigFile, ConfigOption, LogFormat, LogLevel, fail, quiet_log
from closewatch.core.deadline import Deadline
from closewatch.core.problems import ConfigError

main = typer.Typer(
    name="closewatch",
    help="Keeps a close watch on the systems that carry a company's books.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
rules = typer.Typer(help="The Prometheus rules that come with closewatch.", no_args_is_help=True)
runbooks = typer.Typer(help="The runbooks that the alerts point to.", no_args_is_help=True)
main.add_typer(rules, name="rules")
main.add_typer(runbooks, name="runbooks")
main.add_typer(records.app, name="records")
main.add_typer(drill.app, name="drill")
main.command()(work.work)
main.command()(receive.receive)
main.command("restore-test")(work.restore_test)
main.command()(figures.figures)

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)

Timeout = Annotated[float, typer.Option("--timeout", help="Seconds that a target may take.", min=0.1, max=120)]


@main.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        typer.echo(f"closewatch {__version__}")
        raise typer.Exit


@main.command()
def serve(
    config: ConfigFile,
    listen: Annotated[
        str, typer.Option("--web.listen-address", help="Where to listen; on loopback unless told otherwise.")
    ] = "127.0.0.1:10187",
    web_config: Annotated[
        Path | None, typer.Option("--web.config.file", help="TLS and basic auth, in the form of Prometheus' exporters.")
    ] = None,
    lifecycle: Annotated[bool, typer.Option("--web.enable-lifecycle", help="Allow POST /-/reload.")] = False,
    log_format: LogFormat = "json",
    log_level: LogLevel = "info",
) -> None:
    """Serve the metrics of all targets to Prometheus."""
    from closewatch.app import App
    from closewatch.core import log
    from closewatch.core.web import Server

    # Waited for, not handled: a handler would run between any two lines of the main thread. Threads inherit the mask.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        log.setup(log_format, log_level)
        app = App(config, allow_reload=lifecycle)
        server = Server(listen, app.routes(), web_config)
        app.web_config_ok = lambda: server.web_config_ok
    except (ConfigError, ValueError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"--web.listen-address {listen}: {error.strerror or error}")
    server.start()
    app.start()
    while signal.sigwait(SIGNALS) == signal.SIGHUP:
        app.reload()
    server.stop()
    app.stop()


@main.command()
def check(
    config: ConfigFile,
    connect: Annotated[
        bool, typer.Option("--connect", help="Also log in to every target, and print the missing grants as SQL.")
    ] = False,
    timeout: Timeout = 10.0,
) -> None:
    """Check a configuration; nothing is written, nothing is started."""
    from closewatch.check import check_targets, summary
    from closewatch.kinds import load

    quiet_log()
    try:
        loaded = load(config)
    except ConfigError as error:
        fail(str(error))
    for problem in (problems := loaded.secret_problems()):
        typer.echo(problem)
    typer.echo(summary(loaded))
    well = not connect or check_targets(loaded, Deadline.after(timeout), typer.echo)
    if problems or not well:
        raise typer.Exit(1)


@main.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from closewatch.kinds import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@main.command()
def probe(
    target: Annotated[str, typer.Argument(help="The name of a target.", show_default=False)],
    config: ConfigOption,
    kind: Annotated[str | None, typer.Option("--kind", help="Its kind, where two kinds share the name.")] = None,
    timeout: Timeout = 10.0,
) -> None:
    """Ask one target now and show what it says, what is wrong on top. Exits with 1 where something is."""
    from closewatch.explain import explain, wrong
    from closewatch.kinds import load
    from closewatch.registry import Registry

    quiet_log()
    try:
        registry = Registry(load(config))
    except ConfigError as error:
        fail(str(error))
    found = registry.find(target, kind)
    if not found:
        for server in registry.discovering():
            server.run(Deadline.after(timeout))
        found = registry.find(target, kind)
    if not found:
        names = ", ".join(sorted({scrape.target.name for scrape in registry.scrapes()})[:20])
        fail(f"no target {target!r}; there are: {names}")
    if len(found) > 1:
        fail(f"several kinds have a target {target!r}: add --kind " + " or ".join(s.target.kind for s in found))
    samples = found[0].run(Deadline.after(timeout))
    typer.echo(explain(found[0], samples), nl=False)
    status = found[0].status
    registry.close()
    if status is None or wrong(status):
        raise typer.Exit(1)


@main.command()
def demo(
    scenario: Annotated[str | None, typer.Option("--scenario", help="The fault to inject; --list names them.")] = None,
    leave: Annotated[
        bool, typer.Option("--exit", help="Unattended: exit 0 only if the right page came and went.")
    ] = False,
    show_list: Annotated[bool, typer.Option("--list", help="Name the scenarios.")] = False,
) -> None:
    """Show the whole of closewatch at work on real servers, on this machine."""
    from closewatch.demo import list_scenarios, run_demo

    if show_list:
        for name in list_scenarios():
            typer.echo(name)
        return
    raise typer.Exit(run_demo(scenario, exit_when_done=leave))


@main.command()
def preview(
    prometheus: Annotated[str, typer.Option("--prometheus", help="Address of the Prometheus that runs the rules.")],
    since: Annotated[str, typer.Option("--since", help="How far to look back, such as 14d.")] = "14d",
    routes: Annotated[
        Path | None, typer.Option("--alertmanager-config", help="Your own routes; else those that are shipped.")
    ] = None,
    timezone: Annotated[str, typer.Option("--timezone", help="Whose night is meant, such as Europe/Paris.")] = "UTC",
    token_file: Annotated[Path | None, typer.Option("--token-file", help="File with a bearer token.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="User for basic auth.")] = None,
    password_file: Annotated[Path | None, typer.Option("--password-file", help="File with the password.")] = None,
    org_id: Annotated[str | None, typer.Option("--org-id", help="X-Scope-OrgID, for Mimir.")] = None,
    ca: Annotated[Path | None, typer.Option("--ca", help="File of the CA that signed its certificate.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say how often each alert would have told whom: load the rules in observe mode, wait some days, and look."""
    from closewatch.alerting import preview as past
    from closewatch.alerting.preview.history import HistoryError, Prometheus

    try:
        login = past.headers(token_file, user, password_file, org_id)
        found = past.look(Prometheus(prometheus, headers=login, ca=ca), since, routes, timezone)
    except (HistoryError, OSError, ValueError) as error:
        fail(f"closewatch preview: {error}")
    typer.echo(json.dumps(found.document(), indent=2) if json_ else past.report(found, prometheus), nl=json_)


@rules.command("render")
def rules_render(
    folder: Annotated[Path, typer.Argument(help="Where to write the rule files.", show_default=False)],
    runbook_base: Annotated[
        str | None, typer.Option("--runbook-base", help="Address that runbook links begin with.")
    ] = None,
    grafana_base: Annotated[
        str | None, typer.Option("--grafana-base", help="Address that dashboard links begin with.")
    ] = None,
    mode: Annotated[
        str, typer.Option("--mode", help="notify, or observe: alerts are marked and sent nowhere.")
    ] = "notify",
) -> None:
    """Write the rule files for a Prometheus, with your own addresses in the links."""
    from closewatch.alerting import render

    try:
        for path in render(folder, runbook_base=runbook_base, grafana_base=grafana_base, mode=mode):
            typer.echo(path)
    except (OSError, ValueError) as error:
        fail(str(error))


@runbooks.command("build")
def runbooks_build(
    folder: Annotated[Path, typer.Argument(help="Where to write the pages.", show_default=False)],
) -> None:
    """Write the runbooks as plain pages, for networks that can't reach the public ones."""
    from closewatch.alerting import build_runbooks

    try:
        for path in build_runbooks(folder):
            typer.echo(path)
    except (OSError, ValueError) as error:
        fail(str(error))
