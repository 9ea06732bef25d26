"""What tenants pay, where it is committed: for what a cost does to a margin."""

from decimal import Decimal

from tenantscope_core.results.errors import NotPermitted
from tenantscope_core.results.periods import Period
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.schemas import REVENUE
from tenantscope_core.stores.sql import Table

from tenantscope_cost_explorer.sources.costs import MAX_ROWS, Costs


async def revenue_of(
    costs: Costs, fleet: AwsCaller, period: Period, tenant: str | None
) -> dict[tuple[str, str], Decimal] | None:
    """Revenue by tenant and currency over the months that a period touches, of one tenant or of all.

    None unless all of these months are committed. It is read with the fleet's credentials.
    """
    try:
        committed = await costs.reader.committed(fleet, REVENUE.name, None)
    except NotPermitted:  # nothing committed and nothing permitted look the same
        return None
    table = Table.of(REVENUE, committed, period.month_names)
    if any(month not in table.months for month in period.month_names):
        return None
    of_one = "" if tenant is None else "WHERE tenant_id = ?"
    found = await costs.engine.query(
        f"SELECT tenant_id, currency, sum(amount) FROM revenue {of_one} GROUP BY 1, 2",
        () if tenant is None else (tenant,),
        {"revenue": table},
        aws=fleet,
        max_rows=MAX_ROWS,
    )
    return {(tenant, currency): amount for tenant, currency, amount in found.rows}
