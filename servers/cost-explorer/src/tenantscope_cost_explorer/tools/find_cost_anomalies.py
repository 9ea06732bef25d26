"""`find_cost_anomalies`."""

from decimal import Decimal
from typing import Annotated

from anyio import to_thread
from pydantic import Field
from tenantscope_core.results.money import round_half_even
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_cost_explorer.anomalies.answers import CostAnomalies, Unseen
from tenantscope_cost_explorer.anomalies.baselines import FEWEST_DAYS, FEWEST_MONTHS
from tenantscope_cost_explorer.anomalies.events import FALSE_ALARMS, Sensitivity
from tenantscope_cost_explorer.anomalies.report import FEWER_ROWS, MANY, ROWS, described
from tenantscope_cost_explorer.anomalies.search import MonthlySeries, search
from tenantscope_cost_explorer.sources.costs import freshness
from tenantscope_cost_explorer.sources.fleet import fleet_session
from tenantscope_cost_explorer.sources.open import Sources
from tenantscope_cost_explorer.sources.revenues import revenue_of
from tenantscope_cost_explorer.sources.series import Asked, asked, daily_series, monthly_series, one_offs

NEVER_JUDGED = "Tax, support and other recurring purchases are not judged."


@tool(shown_to=ShownTo.BOTH, scopes={"costs:read"}, effects=READ, names_tenant="optional")
async def find_cost_anomalies(
    call: Call[Sources],
    period: Annotated[
        str | None,
        Field(
            description="'2026-09', '2026-09-01..2026-09-15' or 'latest', at most 3 months; the last complete month if "
            "left out.",
            max_length=40,
        ),
    ] = None,
    sensitivity: Annotated[
        Sensitivity, Field(description="high finds weaker events, and more that are none.")
    ] = "medium",
    min_cost: Annotated[
        float, Field(ge=0, le=1e12, description="Least excess, up or down, in the billing currency.")
    ] = 1.0,
    limit: Annotated[int, Field(ge=1, le=10, description="Anomalies to list.")] = 5,
) -> CostAnomalies:
    """Unusual spend: days or months that leave a series' own weekly or monthly pattern, with size, cause and rows.

    One event in many tenants or features is one anomaly. One-time charges are listed as one_off.
    """
    costs = call.sources.costs
    wanted = await asked(costs, call.aws, call.tenant, period, call.now)
    daily = await daily_series(costs, call.aws, wanted)
    monthly = await monthly_series(costs, call.aws, wanted)
    once = await one_offs(costs, call.aws, wanted)
    fleet = await fleet_session(call)
    revenue = None if fleet is None else await revenue_of(costs, fleet, wanted.window.period, call.tenant)
    found = await to_thread.run_sync(search, daily, monthly, once, wanted.days, wanted.months, sensitivity)
    least = Decimal(repr(min_cost))
    anomalies = [one for one in found if abs(one.excess) >= least]
    return CostAnomalies(
        of=call.tenant or "fleet",
        period=str(wanted.window.period),
        judged_through=wanted.days.last,
        history_from=wanted.days.known_from,
        sensitivity=sensitivity,
        false_alarms_per_1000=FALSE_ALARMS[sensitivity],
        min_cost=min_cost,
        anomalies=[
            described(
                one, rank=rank, fleet=call.tenant is None, revenue=revenue, rows=ROWS if limit <= MANY else FEWER_ROWS
            )
            for rank, one in enumerate(anomalies[:limit], 1)
        ],
        count=len(anomalies),
        truncated=len(anomalies) > limit,
        unseen=Unseen(
            series=daily.series,
            looked_at=len(daily.costs),
            largest_departure=round_half_even(Decimal(repr(daily.unseen))) if daily.series > len(daily.costs) else None,
            new_tenants=daily.new_tenants,
            notes=_notes(wanted, monthly),
        ),
        next="explain_cost_change for the whole change; a smaller min_cost or sensitivity=high for more",
        freshness=freshness(wanted.window, call.now, wanted.days.last),
    )


def _notes(wanted: Asked, monthly: MonthlySeries) -> list[str]:
    notes = [NEVER_JUDGED]
    if (wanted.days.first - wanted.days.known_from).days < FEWEST_DAYS:
        notes.append(f"Days are judged only once {FEWEST_DAYS} days before them are committed.")
    if monthly.series > len(monthly.costs):
        notes.append(
            f"Of {monthly.series} tenants' services with costs by the month the {len(monthly.costs)} that moved most "
            "were judged by themselves, the rest by service."
        )
    if not monthly.totals:
        notes.append(
            f"Costs shared by the month were not judged: that takes a whole month and {FEWEST_MONTHS} before it."
        )
    if wanted.running:
        notes.append("The period's last days were not complete when it was rolled up.")
    return notes
