"""`explain_cost_change`."""

from typing import Annotated

from anyio import to_thread
from pydantic import Field
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_cost_explorer.changes.answers import CostChange
from tenantscope_cost_explorer.changes.report import by_currency, currency_change
from tenantscope_cost_explorer.sources.costs import freshness
from tenantscope_cost_explorer.sources.moves import MAX_CELLS, compare, moves
from tenantscope_cost_explorer.sources.open import Sources

MAX_LINES, MAX_CURRENCIES = 10, 4
LINES_OF_FURTHER_CURRENCIES = 5


@tool(shown_to=ShownTo.BOTH, scopes={"costs:read"}, effects=READ, names_tenant="optional")
async def explain_cost_change(
    call: Call[Sources],
    period: Annotated[
        str, Field(description="'2026-09', '2026-07..2026-09', '2026-09-01..2026-09-15' or 'latest'.", max_length=40)
    ] = "latest",
    compared_with: Annotated[
        str | None,
        Field(description="An earlier period in the same forms; the one before if left out.", max_length=40),
    ] = None,
) -> CostChange:
    """Why cost moved between two periods: volume, unit price, mix, new, gone, one-off, days; largest causes first.

    Drivers sum to the change exactly.
    """
    compared = await compare(call.sources.costs, call.aws, call.tenant, period, compared_with)
    found = await moves(call.sources.costs, call.aws, compared)
    currencies = by_currency(found.amounts)
    changes = await to_thread.run_sync(
        lambda: [
            currency_change(
                currency,
                amounts,
                compared.lengths,
                compared_with=str(compared.before),
                lines=LINES_OF_FURTHER_CURRENCIES if place else MAX_LINES,
                names_tenants=call.tenant is None,
            )
            for place, (currency, amounts) in enumerate(currencies[:MAX_CURRENCIES])
        ]
    )
    return CostChange(
        of=call.tenant or "fleet",
        period=str(compared.window.period),
        compared_with=str(compared.before),
        days=compared.lengths.after,
        days_before=compared.lengths.before,
        changes=changes,
        other_currencies=sorted(currency for currency, _ in currencies[MAX_CURRENCIES:]),
        cells=found.cells,
        cells_together=max(found.cells - MAX_CELLS, 0),
        next="get_costs with service=<one of these> and group_by=day; find_cost_anomalies for days that stand out",
        freshness=freshness(compared.window, call.now, found.last_day),
    )
