"""`get_bill`."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from tenantscope_core.results.answers import Freshness
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.periods import LATEST, Month
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_pricing.bill_report import estimated, tenant_bill
from tenantscope_pricing.bill_room import fitted_bill
from tenantscope_pricing.fleet_bill import fleet_bill
from tenantscope_pricing.models import BillReport
from tenantscope_pricing.sources.bills import RUNNING
from tenantscope_pricing.sources.open import Sources


@tool(shown_to=ShownTo.BOTH, scopes={"pricing:read"}, effects=READ, names_tenant="optional")
async def get_bill(
    call: Call[Sources],
    period: Annotated[
        str,
        Field(
            description="A month: '2026-09', 'latest' (newest with all use) or 'running', with an estimate.",
            max_length=40,
        ),
    ] = LATEST,
) -> BillReport:
    """What use of a month comes to: every line with quantity, free units, tiers and price, minimums, credits, total.

    A month that runs is billed so far, with a run-rate estimate. For the fleet: total by plan, and the largest tenants.
    """
    if call.tenant is None:
        return await _of_fleet(call, period)
    rated = await call.sources.bills.rated(call.aws, call.tenant, period, call.now.date())
    book, bill = rated.book, rated.bill
    shown = tenant_bill(
        book,
        bill,
        estimate=estimated(book, rated.outlook, rated.method) if rated.outlook is not None else None,
        missing=rated.missing,
    )
    report = BillReport(
        of=call.tenant,
        period=str(bill.month),
        status=_status(running=rated.outlook is not None, lacks=shown.nothing_committed_of),
        currency=book.currency,
        total=shown.subtotal - shown.credits_paid,
        tenant=shown,
        truncated=shown.other is not None,
        freshness=Freshness(data_through=rated.data_through, stale=rated.stale),
        next="get_plans for the prices behind the lines",
    )
    return fitted_bill(report)


async def _of_fleet(call: Call[Sources], period: str) -> BillReport:
    """From what the rollup committed, which rates as the bills of tenants are rated."""
    running = str(Month(call.now.year, call.now.month))
    if period == RUNNING:
        period = running
    elif period == LATEST:
        newest = await call.sources.bills.newest_of_fleet(call.aws, await call.sources.revenue.months(call.aws))
        period = LATEST if newest is None else str(newest)
    window = await call.sources.revenue.window(call.aws, period)
    if not window.period.is_whole_months:
        raise InvalidArgument("Bills are of whole months; ask for '2026-09' or '2026-07..2026-09'.", parameter="period")
    billed = await call.sources.revenue.billed(call.aws, window)
    currency, total, shown = fleet_bill(billed)
    lacks = await call.sources.bills.missing_of_fleet(call.aws, window.period.months) or None
    return BillReport(
        of="fleet",
        period=str(window.period),
        status=_status(running=running in window.period.month_names, lacks=lacks),
        currency=currency,
        total=total,
        fleet=shown.model_copy(update={"nothing_committed_of": lacks}),
        truncated=shown.other_plans is not None or shown.other_tenants is not None,
        freshness=window.freshness(None),
        next="get_bill with tenant_id=<one of these> for its lines",
    )


def _status(*, running: bool, lacks: Sequence[str] | None) -> Literal["closed", "incomplete", "running"]:
    if running:
        return "running"
    return "incomplete" if lacks else "closed"
