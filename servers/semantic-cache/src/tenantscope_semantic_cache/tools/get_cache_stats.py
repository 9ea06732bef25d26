"""`get_cache_stats`."""

from typing import Annotated

from pydantic import Field
from tenantscope_core.results.periods import Month, parse_period
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_semantic_cache.models import CacheStats
from tenantscope_semantic_cache.shown import shown_stats
from tenantscope_semantic_cache.sources.open import Sources


@tool(shown_to=ShownTo.BOTH, scopes={"cache:read"}, effects=READ, names_tenant="required")
async def get_cache_stats(
    call: Call[Sources],
    period: Annotated[
        str, Field(description="'2026-09', '2026-07..2026-09', '2026-09-01..2026-09-15' or 'latest'.", max_length=40)
    ] = "latest",
) -> CacheStats:
    """How much a tenant's answer cache saves: look-ups, hits, tokens, money and model time, by model; what is in it.

    The hit rate is raw, with its 95 % interval: hits may have been wrong ones.
    """
    counting, tenant = call.sources.counting, call.one_tenant
    await counting.write(tenant)
    day = await counting.latest_day(tenant) or call.now.date()
    asked = parse_period(period, latest=Month(day.year, day.month))
    lines, models = await counting.sums(tenant, asked)
    return shown_stats(tenant, str(asked), lines, models, await counting.holdings(tenant, call.now))
