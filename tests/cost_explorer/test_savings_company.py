"""What the company's bill has planted in it is found, with the figures that its maker worked out."""

import os
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cost_explorer.saving_company import REPOSITORY, SavingCompany, committed
from fixtures.asking import Asker
from fixtures.clock import Clock
from fixtures.stores import Cloud
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.duckdb_engine import DuckDbEngine
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_cost_explorer.sources.costs import Costs
from tenantscope_cost_explorer.sources.open import Sources
from tenantscope_cost_explorer.sources.savings import SavingFacts
from tenantscope_cost_explorer.tools.suggest_savings import suggest_savings
from tenantscope_sandbox.company.generate import generate


@pytest.fixture(scope="module")
async def company(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> SavingCompany:
    made = generate(Path(os.environ.get("TENANTSCOPE_SANDBOX_DIR") or REPOSITORY / ".sandbox/test"))
    return await committed(shared_cloud, "savings-company", tmp_path_factory.mktemp("company"), made)


@pytest.fixture
async def provider(company: SavingCompany, tmp_path: Path) -> AsyncIterator[Asker]:
    reader = DatasetReader(company.rolled.bucket, clock=Clock())
    cache = ObjectCache(tmp_path / "cache", max_bytes=1 << 26)
    engine = DuckDbEngine(reader, cache)
    yield Asker(Sources(Costs(reader, engine), SavingFacts(reader, engine)), company.rolled.aws, most_bytes=25_000)
    cache.close()


async def test_look(provider: Asker) -> None:
    r = await provider.ask(suggest_savings, limit=25)
    print(r.model_dump_json(indent=1, exclude_none=True))
    small = await provider.ask(suggest_savings)
    from tenantscope_core.tool.outcome import answered

    print(answered(r)[1], answered(small)[1])
    assert 0
