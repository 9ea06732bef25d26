"""What the tools read from, opened once for the life of the server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tenantscope_core.serving.open_datasets import open_datasets
from tenantscope_core.serving.spec import Runtime

from tenantscope_cost_explorer.settings import Settings
from tenantscope_cost_explorer.sources.costs import Costs
from tenantscope_cost_explorer.sources.savings import SavingFacts


@dataclass(frozen=True, slots=True)
class Sources:
    """Committed costs, and what savings are found in."""

    costs: Costs
    savings: SavingFacts


@asynccontextmanager
async def open_sources(runtime: Runtime[Settings]) -> AsyncGenerator[Sources]:
    """Open the sources; nothing is connected before the first call."""
    with open_datasets(runtime) as datasets:
        yield Sources(Costs(datasets.reader, datasets.engine), SavingFacts(datasets.reader, datasets.engine))
