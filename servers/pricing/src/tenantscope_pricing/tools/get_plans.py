"""`get_plans`."""

from typing import Annotated

from pydantic import Field
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.periods import Month
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_pricing.models import PlanList
from tenantscope_pricing.plan_list import contract_row, plan_rows, version_rows
from tenantscope_pricing.plan_room import fitted_plans
from tenantscope_pricing.sources.open import Sources


@tool(shown_to=ShownTo.BOTH, scopes={"pricing:read"}, effects=READ, names_tenant="optional")
async def get_plans(
    call: Call[Sources],
    month: Annotated[
        str | None, Field(description="Plans as of this month, e.g. '2026-09'; now if left out.", max_length=10)
    ] = None,
    plan: Annotated[str | None, Field(description="Only this plan, by its id.", min_length=1, max_length=63)] = None,
) -> PlanList:
    """The price book: plans with fees, features, meters and price models, versions with dates, and what is coming.

    For a tenant: the plans it may have, its own marked and with what it agreed apart, its contract and credits.
    """
    now = Month(call.now.year, call.now.month)
    wanted = now if month is None else _month(month)
    book = await call.sources.books.book(call.aws, call.tenant)
    contract = book.contracts.get(call.tenant) if call.tenant is not None else None
    version = book.version_in(wanted)
    rows, others = plan_rows(book, wanted, contract, asked=plan, fleet=call.tenant is None)
    versions = version_rows(book, now)
    agreed = contract_row(book, contract) if contract is not None else None
    cut = len(versions) < len(book.versions)
    if agreed is not None:
        cut = cut or len(agreed.terms) < agreed.term_count or len(agreed.credits) < agreed.credit_count
    answer = PlanList(
        month=str(wanted),
        currency=book.currency,
        version=version.name if version is not None else None,
        versions=versions,
        version_count=len(book.versions),
        contract=agreed,
        plans=rows,
        plan_count=len(rows) + len(others),
        other_plans=others,
        truncated=bool(others) or cut,
        next="get_plans with plan=<one of other_plans>" if others else "get_bill for what use of a plan comes to",
    )
    return fitted_plans(answer)


def _month(text: str) -> Month:
    try:
        return Month.parse(text)
    except ValueError:
        raise InvalidArgument("month must be written like '2026-09'.", parameter="month") from None
