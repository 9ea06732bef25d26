"""The same questions through Athena: every answer equal to the one that DuckDB gives."""

from typing import Any

import pytest
from fixtures.engines import BothEngines
from fixtures.engines import engines as engines

SERVER = "metrics-logs"
QUESTIONS: list[tuple[str | None, str, dict[str, Any]]] = [
    ("acme", "get_usage", {"period": "2026-09"}),
    ("acme", "get_usage", {"period": "2026-08..2026-09", "group_by": "month"}),
    ("acme", "get_usage", {"period": "2026-09-03..2026-09-11", "group_by": "day"}),
    (None, "get_usage", {"period": "2026-09", "group_by": "day", "limit": 5}),
    (None, "get_usage", {"period": "2026-09", "tenant_id": "globex"}),
    ("acme", "get_feature_usage", {"period": "2026-09"}),
    ("acme", "get_feature_usage", {"period": "2026-09", "feature": "search"}),
    (None, "get_feature_usage", {"period": "2026-09-03..2026-09-11", "limit": 1}),
    (None, "get_feature_usage", {"period": "2026-09", "feature": "search"}),
    (None, "list_tenant_activity", {}),
    (None, "list_tenant_activity", {"as_of": "2026-09-10"}),
]


@pytest.mark.requirement("both-engines")
@pytest.mark.parametrize(("tenant", "tool", "arguments"), QUESTIONS, ids=lambda part: str(part))
async def test_both_engines_give_one_answer(
    engines: BothEngines, tenant: str | None, tool: str, arguments: dict[str, Any]
):
    duckdb, athena = await engines.ask(tenant, tool, **arguments)
    assert duckdb == athena
