"""The same questions through Athena: every answer equal to the one that DuckDB gives."""

from typing import Any

import pytest
from fixtures.engines import BothEngines
from fixtures.engines import engines as engines

SERVER = "cost-explorer"
QUESTIONS: list[tuple[str | None, str, dict[str, Any]]] = [
    ("acme", "get_costs", {"period": "latest"}),
    ("acme", "get_costs", {"period": "2026-08..2026-09", "group_by": "month"}),
    ("acme", "get_costs", {"period": "2026-09", "group_by": "day"}),
    ("acme", "get_costs", {"period": "2026-09-03..2026-09-11", "group_by": "feature"}),
    (None, "get_costs", {"period": "2026-09"}),
    (None, "get_costs", {"period": "2026-09", "tenant_id": "globex"}),
    (None, "rank_tenants_by_cost", {"period": "2026-09"}),
    (None, "rank_tenants_by_cost", {"period": "2026-09", "inactive": "shared_among_active"}),
    (None, "get_margins", {"period": "2026-09"}),
    (None, "get_margins", {"period": "2026-08..2026-09", "only": "losing"}),
    (None, "get_margins", {"period": "2026-09", "group_by": "tier"}),
    (None, "get_margins", {"period": "2026-08..2026-09", "group_by": "feature"}),
    (None, "get_feature_unit_costs", {"period": "2026-09"}),
    (None, "get_allocation_report", {"period": "2026-09"}),
    (None, "suggest_savings", {"period": "2026-09"}),
    (None, "suggest_savings", {"period": "2026-08..2026-09", "tenant_id": "globex"}),
]


@pytest.mark.requirement("both-engines")
@pytest.mark.parametrize(("tenant", "tool", "arguments"), QUESTIONS, ids=lambda part: str(part))
async def test_both_engines_give_one_answer(
    engines: BothEngines, tenant: str | None, tool: str, arguments: dict[str, Any]
):
    duckdb, athena = await engines.ask(tenant, tool, **arguments)
    assert duckdb == athena


async def test_the_savings_that_both_find_are_some(engines: BothEngines):
    """Equal answers would prove little if they were empty."""
    duckdb, athena = await engines.ask(None, "suggest_savings", period="2026-09")
    assert duckdb == athena
    (one,) = duckdb["findings"]
    # 269.62 of four tenants at 1 - 0.0125 / 0.023, less next to nothing for what is read
    assert (one["kind"], one["cost"], one["saving"], duckdb["net"]) == ("storage_class", "269.62", "123.09", "123.09")
