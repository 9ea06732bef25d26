"""The whole way on a company's year: its book published, its use rated by the job, its revenue the maker's truth."""

import json
from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Any

import pytest
from catalogue import standing_servers
from fixtures.serving import Served, content_of, environment_of, error_fields, serve
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.company import PRICE_BOOK
from tenantscope_sandbox.jobs import run_job


@pytest.fixture(scope="module")
def truth(sandbox: Sandbox) -> dict[str, Any]:
    run_job(sandbox, "pricing", "publish-book", str(PRICE_BOOK), "--commit")
    run_job(sandbox, "pricing", "rollup")
    return json.loads((sandbox.state.root / "company/truth.json").read_text())


@pytest.fixture(scope="module")
async def pricing(sandbox: Sandbox, truth: dict[str, Any]) -> AsyncGenerator[Served]:
    (server,) = [each for each in standing_servers() if each.spec.name == "pricing"]
    async with serve(server.spec, environment_of(server, sandbox), sandbox) as served:
        yield served


async def ask(pricing: Served, tenant: str | None, tool: str, **arguments: Any) -> dict[str, Any]:
    async with pricing.client(pricing.token(tenant)) as client:
        return content_of(await client.call_tool(tool, arguments))


async def test_the_fleets_revenue_of_every_month_is_the_makers_to_the_cent(
    pricing: Served, truth: dict[str, Any]
) -> None:
    for month in truth["months"]:
        answer = await ask(pricing, None, "get_bill", period=month)
        assert Decimal(answer["total"]) == sum(map(Decimal, truth["revenue"][month].values())), month
        shown = answer["fleet"]
        parts = [*shown["tenants"], shown["other_tenants"]]
        assert sum(Decimal(part["amount"]) for part in parts) == Decimal(answer["total"])
        assert shown["tenant_count"] == len(truth["revenue"][month])
        for row in shown["tenants"]:
            assert Decimal(row["amount"]) == Decimal(truth["revenue"][month][row["tenant_id"]])


@pytest.mark.parametrize("tenant", ["acme_corp", "golden-gate", "grand-tour", "horizonte", "northwind", "harbourline"])
async def test_a_tenants_own_bill_of_every_month_is_the_makers_to_the_cent(
    pricing: Served, truth: dict[str, Any], tenant: str
) -> None:
    for month in truth["months"]:
        if tenant not in truth["revenue"][month]:
            continue
        answer = await ask(pricing, tenant, "get_bill", period=month)
        assert Decimal(answer["total"]) == Decimal(truth["revenue"][month][tenant]), month
        assert sum(Decimal(line["amount"]) for line in answer["tenant"]["lines"]) == Decimal(
            answer["tenant"]["subtotal"]
        )


async def test_the_provider_sees_the_same_bill_of_a_tenant_as_the_tenant_does(pricing: Served) -> None:
    own = await ask(pricing, "acme_corp", "get_bill", period="2026-10")
    assert await ask(pricing, None, "get_bill", period="2026-10", tenant_id="acme_corp") == own


async def test_a_tenant_without_a_contract_is_told_so(pricing: Served) -> None:
    async with pricing.client(pricing.token(None)) as client:
        result = await client.call_tool("get_bill", {"tenant_id": "yonder"})
    assert error_fields(result)["code"] in ("not_found", "tenant_suspended", "not_permitted")
