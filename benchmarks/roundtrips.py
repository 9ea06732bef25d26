"""Round trips of a tenant's transaction to PostgreSQL, counted on the wire."""

import asyncio
from collections.abc import Iterator

from fixtures.tcp_proxy import TcpProxy
from tenantscope_core.stores.postgres import PostgresStore, Statement

from benchmarks.figures import Figure
from benchmarks.parts import sandbox


def measure() -> Iterator[Figure]:
    """Count them, of statements that are known and of an interactive transaction."""
    known, interactive = asyncio.run(_counted())
    yield Figure("PostgreSQL: transaction of two known statements", f"{known} round trips", "", "1", known == 1)
    yield Figure("PostgreSQL: two statements, interactively", f"{interactive} round trips", "", "3", interactive == 3)


async def _counted() -> tuple[int, int]:
    port = sandbox().port("postgres")
    assert port is not None, "the round trips are counted on a PostgreSQL of the sandbox's own"
    async with TcpProxy(port) as proxy:
        dsn = (
            sandbox().postgres_dsn.replace(f":{port}/", f":{proxy.port}/").replace(f"port={port}", f"port={proxy.port}")
        )
        async with PostgresStore(dsn) as store:
            await store.fetch("acme", "SELECT 1")
            before = proxy.round_trips
            await store.run("acme", [Statement("SELECT 1"), Statement("SELECT 2")])
            known, before = proxy.round_trips - before, proxy.round_trips
            async with store.tenant("acme") as transaction:
                await transaction.fetch("SELECT 1")
                await transaction.fetch("SELECT 2")
            return known, proxy.round_trips - before
