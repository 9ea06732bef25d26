"""The command line of every server: serve on stdio or HTTP, run its jobs, print its settings and catalogue."""

import argparse
import asyncio
import functools
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import anyio
from mcp.server.stdio import stdio_server

from tenantscope_core.results.errors import NotPermitted
from tenantscope_core.serving.assembly import Assembly, assemble, catalogue
from tenantscope_core.serving.http import http_app
from tenantscope_core.serving.logs import configure_logging
from tenantscope_core.serving.settings import (
    CoreSettings,
    WrongSettings,
    load_settings,
    misspelt_settings,
    settings_table,
)
from tenantscope_core.serving.spec import Command, OperatorCommand, Runtime, ServerSpec
from tenantscope_core.serving.telemetry import start_telemetry
from tenantscope_core.tool.outcome import as_failure
from tenantscope_core.tool.path import vend

log = logging.getLogger(__name__)

GRACE_SECONDS = 10
MAX_CONNECTIONS = 4_000


def run(spec: ServerSpec[Any, Any], words: Sequence[str] | None = None) -> None:
    """The whole of a server's `main()`."""
    arguments = _parser(spec).parse_args(words)
    job = next((command for command in spec.commands if command.name == arguments.command), None)
    if arguments.command == "settings":
        print(settings_table(spec.settings))  # noqa: T201
    elif arguments.command == "catalogue":
        print(catalogue(spec))  # noqa: T201
    else:
        _serve(spec, arguments, job)


def _parser(spec: ServerSpec[Any, Any]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"tenantscope-{spec.name}",
        description=spec.title,
        epilog="Everything else is set by TENANTSCOPE_* variables; `settings` lists them.",
    )
    parser.add_argument("--version", action="version", version=f"tenantscope-{spec.name} {spec.version}")
    jobs = parser.add_subparsers(dest="command", metavar="command")
    jobs.add_parser("stdio", help="serve one host over stdin and stdout (the default)")
    http = jobs.add_parser("http", help="serve many callers over streamable HTTP")
    http.add_argument("--host", help="the address to listen on (TENANTSCOPE_HOST)")
    http.add_argument("--port", help="the port to listen on, 0 for a free one (TENANTSCOPE_PORT)")
    jobs.add_parser("settings", help="print every setting")
    jobs.add_parser("catalogue", help="print every tool as hosts see it")
    for command in spec.commands:
        command.add_arguments(jobs.add_parser(command.name, help=command.help, description=command.help))
    return parser


def _serve(
    spec: ServerSpec[Any, Any], arguments: argparse.Namespace, job: Command[Any] | OperatorCommand[Any] | None
) -> None:
    environment = dict(os.environ)
    for name in ("host", "port"):
        if getattr(arguments, name, None):
            environment[f"TENANTSCOPE_{name.upper()}"] = getattr(arguments, name)
    settings = load_settings(spec.settings, environment)
    configure_logging(settings.log_level, "text" if job else settings.log_format, spec.package)

    if settings.tenants_table is None and not isinstance(job, OperatorCommand):
        log.warning("TENANTSCOPE_TENANTS_TABLE is not set: a tenant that is suspended is served all the same")
    for sentence in misspelt_settings(spec.settings, environment):
        log.warning(sentence)
    if isinstance(job, OperatorCommand):
        sys.exit(anyio.run(_run_operators, spec.name, job, settings, arguments))
    stop_telemetry = start_telemetry(spec.name, spec.version, environment)
    # Who serves one host may never be called, and what prepares calls would take a tenth of its memory.
    assembly = assemble(spec, settings, prepare=arguments.command == "http")
    try:
        if job is not None:
            code = anyio.run(_run_job, assembly, job, arguments)
        elif arguments.command == "http":
            code = _serve_http(assembly)
        else:
            code = anyio.run(_serve_stdio, assembly, stop_telemetry)
    finally:
        stop_telemetry()
    sys.exit(code)


async def _serve_stdio(assembly: Assembly, before_exit: Callable[[], None]) -> int:
    async with stdio_server() as (received, sent):
        with _until_signalled() as scope:
            await assembly.server.run(received, sent, assembly.server.create_initialization_options())
        if scope.cancelled_caught:
            # The protocol's reader sits in a read of stdin that nothing can interrupt; everything of ours is closed.
            before_exit()
            logging.shutdown()
            os._exit(0)
    return 0


def _serve_http(assembly: Assembly) -> int:
    import jwt  # noqa: F401 # pyright: ignore[reportUnusedImport] # every request needs it, and none should wait for it
    import uvicorn  # a server on stdio needs no HTTP server
    from sse_starlette.sse import AppStatus

    AppStatus.disable_automatic_graceful_drain()  # or a stop would cut off the answers that are on their way
    try:
        listening = _listen(assembly.settings.host, assembly.settings.port)
    except OSError as error:
        raise WrongSettings([f"TENANTSCOPE_HOST and TENANTSCOPE_PORT: {error.strerror or error}"]) from None
    settings = assembly.settings.model_copy(update={"port": listening.getsockname()[1]})
    config = uvicorn.Config(
        http_app(assembly.spec, settings, assembly.server, assembly.verifier),
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_SECONDS,
        limit_concurrency=MAX_CONNECTIONS,
        server_header=False,
    )
    signal.signal(signal.SIGTERM, _ignored)  # uvicorn stops gracefully and then raises the signal once more
    server = uvicorn.Server(config)
    log.info("listening on http://%s:%d", settings.host, settings.port)
    server.run(sockets=[listening])
    return 0 if server.started else 1


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=2_048)
    # asyncio sends without delay only where the socket says that it is TCP; else each answer waits 40 ms for an ACK.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=listening.detach())


def _ignored(signal_number: int, frame: object) -> None:
    """Do nothing."""


async def _run_job(assembly: Assembly, job: Command[Any], arguments: argparse.Namespace) -> int:
    """A job runs on the path of a call: the process's token, verified, must be the provider's."""
    spec, settings = assembly.spec, assembly.settings
    with _until_signalled():
        try:
            async with assembly.open_gatekeepers() as gate:
                identity = await assembly.identify_process()
                if not identity.caller.is_provider:
                    raise NotPermitted("It reads the whole fleet, so it needs a token of the provider.")
                session = await vend(gate, spec.name, identity, None)
                runtime = Runtime(
                    settings, assembly.clock, session_of=functools.partial(vend, gate, spec.name, identity)
                )
                return await job.run(runtime, session, arguments)
        except Exception as error:
            _say_failure(error, spec.name, job.name)
    return 1


async def _run_operators(
    server: str, job: OperatorCommand[Any], settings: CoreSettings, arguments: argparse.Namespace
) -> int:
    with _until_signalled():
        try:
            return await job.run(settings, arguments)
        except Exception as error:
            _say_failure(error, server, job.name)
    return 1


def _say_failure(error: Exception, server: str, job: str) -> None:
    failure = as_failure(error, server=server, tool=job)
    print(f"{job}: {failure.sentence}", file=sys.stderr)  # noqa: T201


@contextmanager
def _until_signalled() -> Generator[anyio.CancelScope]:
    """Leave the block, cancelling what runs in it, when the process is asked to stop."""
    loop = asyncio.get_running_loop()
    with anyio.CancelScope() as scope:
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError):  # Windows, where a process is ended without being asked
                loop.add_signal_handler(signal_number, scope.cancel)
        yield scope
