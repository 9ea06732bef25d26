"""Tagged costs of a period that a caller wrote, as the tools show them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from tenantscope_core.results.errors import NotFound, NotSetUp
from tenantscope_core.results.names import exact, hint
from tenantscope_core.results.periods import Period, parse_period
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_cost_explorer.breakdown import CostSum
from tenantscope_cost_explorer.models import ApiSource, Freshness
from tenantscope_cost_explorer.ranking import TenantSum
from tenantscope_cost_explorer.sources.explorer.api import CostExplorerApi, Use
from tenantscope_cost_explorer.sources.explorer.kept import FINAL_AFTER, Kept
from tenantscope_cost_explorer.tagged import (
    NONE,
    TAGGED,
    Metric,
    Question,
    TaggedCost,
    cost_sums,
    latest_month,
    method_of,
    period_before,
    tenant_sums,
)

TIME_GROUPS = ("day", "month")
OWN = "Charges tagged as the tenant's, and those alone: nothing that tenants share is allocated."
FLEET = "All charges that AWS Cost Explorer has; which of them are a tenant's, rank_tenants_by_cost tells."
BY_TENANT = "direct is what is tagged with a tenant, residual all that is not: nothing that tenants share is allocated."


@dataclass(frozen=True, slots=True)
class Answered:
    """What is known of a period, and how."""

    period: Period
    before: Period | None
    asked: datetime
    freshness: Freshness
    source: ApiSource
    metric: Metric


class TaggedCosts:
    """Costs by the tenant's cost allocation tag, asked of AWS Cost Explorer."""

    def __init__(self, api: CostExplorerApi, *, clock: Callable[[], datetime]) -> None:
        self._api = api
        self._clock = clock

    async def sums(
        self, aws: AwsCaller, period: str, group_by: str, filters: Mapping[str, str]
    ) -> tuple[list[CostSum], Answered]:
        """Costs of the session's tenant, or with the fleet's session of all, by currency and group.

        Raises:
            InvalidArgument: It is no period, or a filter holds a wildcard.
            NotFound: The period has not begun, or a filter's value occurs nowhere in it.
            NotSetUp: No tag tells features or environments.
            ToolFailure: As `CostExplorerApi.ask`.
        """
        for name in (group_by, *filters):
            self._require_tag(name)
        asked = tuple((name, exact(value, parameter=name)) for name, value in sorted(filters.items()))
        wanted, before, today = self._periods(period)
        daily = group_by == "day" or not wanted.is_whole_months
        group = None if group_by in TIME_GROUPS else group_by
        start, end = (before or wanted).start, _end(wanted, today)
        use = Use()
        answer = await self._api.ask(aws, Question(start, end, daily, group, asked), use)
        if filters and not any(one.day >= wanted.start for one in answer.costs):
            await self._require_known(aws, Question(start, end, daily), filters, wanted, use)
        sums = cost_sums(answer.costs, wanted, group_by, method=method_of(aws.tenant))
        return sums, self._answered(answer, wanted, before, daily, use, FLEET if aws.tenant is None else OWN)

    async def by_tenant(self, aws: AwsCaller, period: str) -> tuple[dict[str, list[TenantSum]], Answered]:
        """Costs of the fleet by currency and tenant, what bears no tenant's tag under None; raises as `sums`."""
        wanted, before, today = self._periods(period)
        daily = not wanted.is_whole_months
        use = Use()
        question = Question((before or wanted).start, _end(wanted, today), daily, by_tenant=True)
        answer = await self._api.ask(aws, question, use)
        return tenant_sums(answer.costs, wanted), self._answered(answer, wanted, before, daily, use, BY_TENANT)

    def _periods(self, text: str) -> tuple[Period, Period | None, date]:
        today = self._clock().astimezone(UTC).date()
        period = parse_period(text, latest=latest_month(today))
        if period.start > today:
            raise NotFound(f"{period} has not begun, so it cost nothing yet.", parameter="period")
        return period, period_before(period, today), today

    def _require_tag(self, name: str) -> None:
        if name in TAGGED and self._api.tags.of(name) is None:
            raise NotSetUp(
                f"AWS Cost Explorer tells no {name}s here: whoever operates the server names the cost allocation tag "
                f"in TENANTSCOPE_{name.upper()}_TAG. Ask by service, charge_category, day or month instead."
            )

    async def _require_known(
        self, aws: AwsCaller, every: Question, filters: Mapping[str, str], period: Period, use: Use
    ) -> None:
        for name, value in filters.items():
            question = Question(every.start, every.end, every.daily, name)
            known = sorted({one.name or NONE for one in (await self._api.ask(aws, question, use)).costs})
            if value not in known:
                raise NotFound(f"No cost in {period} has that {name}; {hint(value, known)}.", parameter=name)

    def _answered(
        self, answer: Kept, period: Period, before: Period | None, daily: bool, use: Use, covers: str
    ) -> Answered:
        within = [one for one in answer.costs if one.day >= period.start]
        estimated = any(one.estimated for one in within)
        now = self._clock().astimezone(UTC).date()
        return Answered(
            period=period,
            before=before,
            asked=answer.asked,
            freshness=Freshness(
                data_through=_last_day(within, period, daily, now),
                may_be_restated=estimated or now < period.months[-1].shift(1).first_day + FINAL_AFTER,
            ),
            source=ApiSource(
                covers=covers if within else f"{covers} There are none in this period, or the tag is not active.",
                estimated=estimated,
                api_requests=use.requests,
                api_cost_usd=use.cost_usd,
                cached_at=use.kept_since,
            ),
            metric=self._api.metric,
        )


def _end(period: Period, today: date) -> date:
    return min(period.end, today + timedelta(days=1))


def _last_day(costs: Sequence[TaggedCost], period: Period, daily: bool, today: date) -> date | None:
    """The last day with a charge, as far as it is told: of a month that still runs, it is not."""
    if not daily:
        return period.end - timedelta(days=1) if costs and period.end <= today else None
    return max((one.day for one in costs), default=None)
