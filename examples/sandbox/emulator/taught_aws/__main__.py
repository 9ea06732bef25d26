"""Serve the taught emulator: `python -m taught_aws --port 4566 --log requests.jsonl`, settings by environment."""

import argparse
import asyncio
import importlib.metadata
import logging
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from . import (
    MINISTACK_VERSION,
    athena_access,
    checkpoints,
    dynamodb_access,
    policy_variables,
    read_capacity,
    service_access,
    tagging_pages,
    web_identity,
)


def main() -> None:
    """Teach the emulator before its application is imported, then serve until told to stop."""
    arguments = argparse.ArgumentParser(prog="taught_aws", description=__doc__)
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--log", type=Path, required=True, help="where each request is recorded, as JSON lines")
    options = arguments.parse_args()
    found = importlib.metadata.version("ministack")
    if found != MINISTACK_VERSION:
        sys.exit(f"taught_aws knows ministack {MINISTACK_VERSION} from the inside and refuses to run on {found}.")
    import_module("ministack.app")
    policy_variables.teach()
    dynamodb_access.teach()
    read_capacity.teach()
    service_access.teach()
    tagging_pages.teach()
    web_identity.teach()
    athena_access.teach()
    checkpoints.teach_sessions()
    asyncio.run(_serve(options.host, options.port, options.log))


async def _serve(host: str, port: int, log: Path) -> None:
    from .gateway import Gateway

    config: Any = import_module("hypercorn.config").Config()
    config.bind = [f"{host}:{port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 2
    logging.getLogger("hypercorn.access").setLevel(logging.WARNING)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signalled in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signalled, stop.set)
    gateway = Gateway(log)
    saving = asyncio.create_task(gateway.checkpoints.run())
    try:
        serve: Any = import_module("hypercorn.asyncio").serve
        await serve(gateway, config, shutdown_trigger=stop.wait)
    finally:
        saving.cancel()


if __name__ == "__main__":
    main()
