"""What the tools read from, opened once for the life of the server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from tenantscope_core.serving.open_datasets import open_datasets
from tenantscope_core.serving.spec import Runtime
from tenantscope_core.stores.datasets import DatasetReader
from tenantscope_core.stores.sql import SqlEngine

from tenantscope_cost_explorer.settings import Settings
from tenantscope_cost_explorer.sources.costs import Costs
from tenantscope_cost_explorer.sources.explorer.costs import TaggedCosts
from tenantscope_cost_explorer.sources.explorer.open import tagged_costs
from tenantscope_cost_explorer.sources.explorer.without_exports import WithoutExports
from tenantscope_cost_explorer.sources.feature_bills import FeatureBills
from tenantscope_cost_explorer.sources.feature_use import FeatureUses
from tenantscope_cost_explorer.sources.histories import Histories
from tenantscope_cost_explorer.sources.margins import Margins
from tenantscope_cost_explorer.sources.savings import SavingFacts


@dataclass(frozen=True, slots=True)
class Sources:
    """Committed costs, margins and evidence; `tagged` is there where Cost Explorer answers for want of an export."""

    costs: Costs
    margins: Margins
    features: FeatureBills
    histories: Histories
    savings: SavingFacts
    tagged: TaggedCosts | None = None


@asynccontextmanager
async def open_sources(runtime: Runtime[Settings]) -> AsyncGenerator[Sources]:
    """Open the sources; nothing is connected before the first call."""
    with open_datasets(runtime) as datasets:
        tagged = tagged_costs(runtime.settings, runtime.clock)
        if tagged is None:
            yield sources_of(datasets.reader, datasets.engine)
        else:
            reader = WithoutExports(runtime.settings.datasets_bucket, clock=runtime.clock)
            yield replace(sources_of(reader, datasets.engine), tagged=tagged)


def sources_of(reader: DatasetReader, engine: SqlEngine) -> Sources:
    """The sources over one reader of commits and one engine."""
    uses = FeatureUses(reader, engine)
    return Sources(
        Costs(reader, engine),
        Margins(reader, engine, uses),
        FeatureBills(engine, uses),
        Histories(reader, engine),
        SavingFacts(reader, engine),
    )
