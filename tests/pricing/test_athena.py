"""The same question through Athena: every answer equal to the one that DuckDB gives."""

from typing import Any

import pytest
from fixtures.engines import BothEngines
from fixtures.engines import engines as engines

SERVER = "pricing"
QUESTIONS: list[tuple[str | None, str, dict[str, Any]]] = [
    ("globex", "get_plans", {}),
    (None, "get_plans", {"month": "2026-09"}),  # first: a book that is known is not asked for again
    ("acme", "get_bill", {"period": "2026-09"}),
    ("acme_corp", "get_bill", {"period": "2026-09"}),
    (None, "get_bill", {"period": "2026-08..2026-09"}),
    (None, "get_bill", {"period": "2026-09", "tenant_id": "Acme-2"}),
]


@pytest.mark.requirement("both-engines")
@pytest.mark.parametrize(("tenant", "tool", "arguments"), QUESTIONS, ids=lambda part: str(part))
async def test_both_engines_give_one_answer(
    engines: BothEngines, tenant: str | None, tool: str, arguments: dict[str, Any]
) -> None:
    duckdb, athena = await engines.ask(tenant, tool, **arguments)
    assert duckdb == athena
