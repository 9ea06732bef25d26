"""Among many tenants a question costs what it costs among few: as many requests, as many units of read capacity."""

from fixtures.many_tenants import PAGE, RARE, many_tenants
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.sources.tenant_search import MAX_QUERIES_A_PAGE

FEW, MANY = 1_000, 6_000
"""`make bench` asks the same of a hundred thousand."""


async def test_every_question_costs_the_same_among_six_times_as_many_tenants(bare_sandbox: Sandbox):
    async with many_tenants(bare_sandbox) as tenants:
        tenants.grow(FEW)
        few = await tenants.ask_all()
        tenants.grow(MANY)
        many = await tenants.ask_all()
    assert few == many
    assert all(cost.requests <= MAX_QUERIES_A_PAGE for cost in many.values()), many
    found = {name: cost.found for name, cost in many.items()}
    assert found.pop("get one") == 1
    assert found.pop("by a rare tag") == RARE
    assert found.pop("by prefix of name") == 10
    assert all(0 < count <= PAGE for count in found.values()), found
