"""`forecast_costs`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

from anyio import to_thread
from pydantic import Field
from tenantscope_core.results.errors import InvalidArgument, NotFound
from tenantscope_core.results.periods import Month
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_cost_explorer.currencies import choose_currency
from tenantscope_cost_explorer.forecasting.answers import EventIn, ForecastReport
from tenantscope_cost_explorer.forecasting.events import Event
from tenantscope_cost_explorer.sources.costs import freshness
from tenantscope_cost_explorer.sources.fleet import fleet_session
from tenantscope_cost_explorer.sources.histories import History
from tenantscope_cost_explorer.sources.open import Sources

WHOLE, ZERO = Decimal(100), Decimal(0)


@tool(shown_to=ShownTo.BOTH, scopes={"costs:read"}, effects=READ, names_tenant="optional")
async def forecast_costs(
    call: Call[Sources],
    months: Annotated[int, Field(ge=1, le=12, description="How many months ahead.")] = 6,
    events: Annotated[
        list[EventIn] | None,
        Field(max_length=10, description="What is known to come: a contract's end, a price change, a one_off."),
    ] = None,
    currency: Annotated[str | None, Field(max_length=16, description="The one with the most cost if left out.")] = None,
) -> ForecastReport:
    """Cost of the coming months with 80 % and 95 % intervals and the back-test of this very series.

    For the provider with revenue and margin where revenue is known, and for the fleet by tenant.
    """
    from tenantscope_cost_explorer.forecasting.report import (  # numpy, for nothing else a server starts
        Asked,
        TooShort,
        forecast,
    )

    fleet = await fleet_session(call)
    alone = fleet is None
    aws = call.aws if fleet is None else fleet
    histories = call.sources.histories
    history = await histories.costs(aws, call.tenant if alone else None)
    chosen = _currency(history, currency, call.tenant)
    after = history.months[-1]
    asked = Asked(call.tenant, months, after, _events(events or (), after, months))
    paid = None if fleet is None else await histories.revenues(fleet, call.tenant, history)
    revenues = None if paid is None else paid.rows.get(chosen)
    try:
        found = await to_thread.run_sync(
            lambda: forecast(asked, history.rows[chosen], revenues, alone=alone), abandon_on_cancel=True
        )
    except TooShort as short:
        raise NotFound(
            f"There are {short.months} months of cost, and a forecast needs six; see get_costs by month."
        ) from None
    notes = [*found.notes]
    if history.left_out:
        notes.append(f"Left out, since not over when it was committed: {', '.join(history.left_out)}.")
    if call.caller.is_provider and found.margin_total is None:
        notes.append(
            f"Margin is not known: revenue in {chosen} is not committed up to {after}, or for fewer than six months."
        )
    return ForecastReport(
        of=call.tenant or "fleet",
        currency=chosen,
        other_currencies=_others(history, chosen, call.tenant),
        history=f"{after.shift(1 - found.history_months)}..{after}",
        history_months=found.history_months,
        months=found.months,
        total=found.total,
        total_80=found.total_80,
        total_95=found.total_95,
        before=found.before,
        margin_total=found.margin_total,
        tenants=found.tenants,
        other=found.other,
        residual=found.residual,
        back_test=found.back_test,
        intervals_from=found.intervals_from,
        notes=notes,
        freshness=freshness(history.window, call.now, None),
        next=_next(call),
    )


def _currency(history: History, asked: str | None, tenant: str | None) -> str:
    sums = {
        name: sum((abs(amount) for of, amounts in rows.items() if tenant in (None, of) for amount in amounts), ZERO)
        for name, rows in history.rows.items()
        if tenant is None or tenant in rows
    }
    if not sums:
        raise NotFound(f"No cost was ever committed for {tenant or 'any tenant'}.")
    return choose_currency(sums, asked, noun="cost")


def _others(history: History, chosen: str, tenant: str | None) -> list[str]:
    return sorted(name for name, rows in history.rows.items() if name != chosen and (tenant is None or tenant in rows))


def _events(given: Sequence[EventIn], after: Month, months: int) -> list[Event]:
    found: list[Event] = []
    for one in given:
        try:
            month = Month.parse(one.month)
        except ValueError:
            raise InvalidArgument(f"{one.month} is no month; write it as '2026-12'.", parameter="events") from None
        if not after < month <= after.shift(months):
            raise InvalidArgument(
                f"An event must be within {after.shift(1)}..{after.shift(months)}; {one.month} is not.",
                parameter="events",
            )
        once = one.kind == "one_off"
        percent = one.percent if one.percent is not None or one.kind != "contract_end" else WHOLE
        if once and (one.amount is None or one.percent is not None):
            raise InvalidArgument("A one_off needs an amount, and no percent.", parameter="events")
        if not once and (one.amount is not None or percent is None):
            raise InvalidArgument(f"A {one.kind} needs a percent, and no amount.", parameter="events")
        found.append(Event(month, one.kind, one.of, None if once else percent, one.amount))
    return found


def _next(call: Call[Sources]) -> str:
    if call.caller.is_provider and call.tenant is None:
        return "forecast_costs with tenant_id=<one of these>; get_margins for who loses money now"
    return "get_costs with group_by=month for the past; explain_cost_change for what moved it"
