"""Among many tenants a question costs what it costs among few: as many requests, as many units of read capacity."""

from typing import Any

import pytest
from fixtures.many_tenants import PAGE, RARE, many_tenants
from fixtures.small_company import CROWD
from fixtures.stores import SignedCaller
from tenantscope_core.results.errors import Unavailable
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.sources.registry_table import RegistryTable
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


class Throttled:
    """Calls AWS as another does, but of a batch only so many keys are processed at once, as of a table that is busy."""

    tenant = None

    def __init__(self, aws: SignedCaller, *, at_once: int) -> None:
        self._aws = aws
        self._at_once = at_once
        self.requests = 0

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """One operation."""
        assert operation == "batch_get_item"
        self.requests += 1
        ((table, asked),) = parameters["RequestItems"].items()
        now, later = asked["Keys"][: self._at_once], asked["Keys"][self._at_once :]
        left = {"UnprocessedKeys": {table: {"Keys": later}}} if later else {}
        if not now:
            return {"Responses": {}, **left}
        return {**await self._aws.call(service, operation, RequestItems={table: {"Keys": now}}), **left}


async def test_records_that_a_busy_table_leaves_out_are_asked_for_again(small_company: Sandbox, root: SignedCaller):
    busy = Throttled(root, at_once=40)
    found = await RegistryTable(small_company.table).many(busy, [*CROWD[:100], CROWD[0]])
    assert set(found) == set(CROWD[:100])
    assert busy.requests == 3


async def test_a_table_that_gives_nothing_is_asked_a_few_times_and_then_it_is_said(
    small_company: Sandbox, root: SignedCaller
):
    busy = Throttled(root, at_once=0)
    with pytest.raises(Unavailable):
        await RegistryTable(small_company.table).many(busy, CROWD[:10])
    assert busy.requests == 5
