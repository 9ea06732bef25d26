"""The same questions through Athena: every answer equal to the one that DuckDB gives."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from catalogue import standing_servers
from fixtures.serving import Served, content_of, environment_of, serve
from tenantscope_sandbox import Sandbox

QUESTIONS: list[tuple[str | None, str, dict[str, Any]]] = [
    ("acme", "get_costs", {"period": "latest"}),
    ("acme", "get_costs", {"period": "2026-08..2026-09", "group_by": "month"}),
    ("acme", "get_costs", {"period": "2026-09", "group_by": "day"}),
    ("acme", "get_costs", {"period": "2026-09-03..2026-09-11", "group_by": "feature"}),
    (None, "get_costs", {"period": "2026-09"}),
    (None, "get_costs", {"period": "2026-09", "tenant_id": "globex"}),
    (None, "rank_tenants_by_cost", {"period": "2026-09"}),
    (None, "get_allocation_report", {"period": "2026-09"}),
]


@pytest.fixture(scope="module")
async def engines(small_company: Sandbox) -> AsyncGenerator[tuple[Served, Served]]:
    """The server on DuckDB and the server on Athena, before the same data."""
    server = next(one for one in standing_servers() if one.spec.name == "cost-explorer")
    async with AsyncExitStack() as stack:
        duckdb, athena = [
            await stack.enter_async_context(
                serve(server.spec, environment_of(server, small_company, TENANTSCOPE_SQL_ENGINE=engine), small_company)
            )
            for engine in ("duckdb", "athena")
        ]
        yield duckdb, athena


@pytest.mark.parametrize(("tenant", "tool", "arguments"), QUESTIONS, ids=lambda part: str(part))
async def test_both_engines_give_one_answer(
    engines: tuple[Served, Served],
    small_company: Sandbox,
    tenant: str | None,
    tool: str,
    arguments: dict[str, Any],
):
    answers: list[dict[str, Any]] = []
    before = small_company.emulator.mark()
    for served in engines:
        async with served.client(served.token(tenant)) as client:
            answers.append(content_of(await client.call_tool(tool, arguments)))
    assert answers[0] == answers[1]
    assert small_company.emulator.requests(before, service="athena"), "Athena was not asked"
