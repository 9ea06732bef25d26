"""Cost Explorer's API as the settings describe it."""

from collections.abc import Callable
from datetime import datetime

from tenantscope_cost_explorer.settings import Settings
from tenantscope_cost_explorer.sources.explorer.api import CostExplorerApi, Views
from tenantscope_cost_explorer.sources.explorer.costs import TaggedCosts
from tenantscope_cost_explorer.tagged import Tags


def tagged_costs(settings: Settings, clock: Callable[[], datetime]) -> TaggedCosts | None:
    """The source, where the settings choose it; nothing is asked before the first call."""
    if settings.cost_source != "cost-explorer" or settings.tenant_tag is None:
        return None
    api = CostExplorerApi(
        Tags(settings.tenant_tag, settings.feature_tag, settings.environment_tag),
        settings.cost_metric,
        Views(settings.billing_view_arn, settings.views, required=settings.billing_views is not None),
        budget_usd=settings.cost_api_budget_usd,
        most_requests=settings.cost_api_requests,
        clock=clock,
    )
    return TaggedCosts(api, clock=clock)
