"""Parts of the sandbox, broken and mended without keeping the server that is tested from running."""

import asyncio

from tenantscope_sandbox import Sandbox


async def break_part(sandbox: Sandbox, part: str, how: str) -> None:
    """Kill a part (`down`), or freeze it (`hanging`): its port still takes connections, and nothing answers."""
    if how == "down":
        await asyncio.to_thread(sandbox.stop_part, part, kill=True)
    else:
        await asyncio.to_thread(sandbox.pause_part, part)


async def mend_part(sandbox: Sandbox, part: str, how: str) -> None:
    """Start it again on its state and port, or let it go on."""
    if how == "down":
        await asyncio.to_thread(sandbox.start_part, part)
    else:
        await asyncio.to_thread(sandbox.resume_part, part)
