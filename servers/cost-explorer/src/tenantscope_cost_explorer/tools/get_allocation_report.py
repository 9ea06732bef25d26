"""`get_allocation_report`."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated

from pydantic import Field
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.money import round_half_even, round_to_total
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_cost_explorer.allocation.report import InvoiceSum, RuleSum
from tenantscope_cost_explorer.costs.breakdown import method_costs
from tenantscope_cost_explorer.models import (
    AllocationReport,
    Coverage,
    InvoiceTie,
    MetricTotal,
    ResidualService,
    RuleCost,
)
from tenantscope_cost_explorer.sources.costs import freshness
from tenantscope_cost_explorer.sources.open import Sources

MAX_RULES, MAX_INVOICES, MAX_SERVICES = 25, 12, 10


@tool(shown_to=ShownTo.PROVIDER, scopes={"costs:read"}, effects=READ)
async def get_allocation_report(
    call: Call[Sources],
    period: Annotated[
        str, Field(description="Whole months: '2026-09', '2026-07..2026-09' or 'latest'.", max_length=40)
    ] = "latest",
) -> AllocationReport:
    """How the bill came to tenants: what each rule consumed, how much is direct, shared by use, estimated or residual.

    Ties every invoice to the cent. Allocation is of EffectiveCost (amortised), invoices are of BilledCost (as charged):
    they differ where a commitment is paid in one month and used in others.
    """
    costs = call.sources.costs
    window = await costs.window(call.aws, None, period)
    if not window.period.is_whole_months:
        raise InvalidArgument(
            "An invoice is of whole months; ask for '2026-09' or '2026-07..2026-09'.", parameter="period"
        )
    reported = await costs.reported(call.aws, window)
    sums, last_day = await costs.sums(call.aws, window, "month", {})
    services = await costs.residual_services(call.aws, window, MAX_SERVICES + 1)
    coverage: dict[str, dict[str, Decimal]] = {}
    for one in sums:
        methods = coverage.setdefault(one.currency, {})
        methods[one.method] = methods.get(one.method, Decimal(0)) + one.cost
    return AllocationReport(
        period=str(window.period),
        effective_cost=_totals((one.currency, one.allocated + one.residual, one.residual) for one in reported.rules),
        billed_cost=_totals((one.currency, one.billed, one.residual) for one in reported.invoices),
        rules_versions=reported.versions,
        charges=reported.charges,
        reconciles=all(one.difference == 0 for one in reported.invoices),
        rules=[_rule(one) for one in reported.rules[:MAX_RULES]],
        coverage=[
            Coverage(currency=currency, **method.model_dump())
            for currency, methods in sorted(coverage.items())
            for method in method_costs(methods)
        ],
        invoices=[_tie(one) for one in reported.invoices[:MAX_INVOICES]],
        invoice_count=len(reported.invoices),
        residual_services=[
            ResidualService(service=service, currency=currency, cost=round_half_even(cost))
            for service, currency, cost in services[:MAX_SERVICES]
        ],
        truncated=len(reported.rules) > MAX_RULES
        or len(reported.invoices) > MAX_INVOICES
        or len(services) > MAX_SERVICES,
        next="get_costs with group_by=service; rank_tenants_by_cost for the tenants",
        freshness=freshness(window, call.now, last_day),
    )


def _totals(parts: Iterable[tuple[str, Decimal, Decimal]]) -> list[MetricTotal]:
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for currency, total, residual in parts:
        before = sums.get(currency, (Decimal(0), Decimal(0)))
        sums[currency] = (before[0] + total, before[1] + residual)
    return [
        MetricTotal(currency=currency, total=round_half_even(total), residual=round_half_even(residual))
        for currency, (total, residual) in sorted(sums.items())
    ]


def _rule(one: RuleSum) -> RuleCost:
    allocated, residual = round_to_total([one.allocated, one.residual])
    return RuleCost(
        rule=one.rule or "(no rule)",
        method=one.method,
        currency=one.currency,
        charges=one.charges,
        cost=allocated + residual,
        allocated=allocated,
        residual=residual,
    )


def _tie(one: InvoiceSum) -> InvoiceTie:
    allocated, residual = round_to_total([one.allocated, one.residual])
    return InvoiceTie(
        invoice=one.invoice,
        currency=one.currency,
        billed=round_half_even(one.billed),
        allocated=allocated,
        residual=residual,
        difference=round_half_even(one.difference),
    )
