"""Questions to AWS Cost Explorer as requests, narrowed to a tenant's tag here and nowhere else; and what is answered.

Request and answer are those of `GetCostAndUsage`:
https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_GetCostAndUsage.html
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from tenantscope_core.results.periods import Month, Period
from tenantscope_core.stores.schemas import TENANT_ID

from tenantscope_cost_explorer.breakdown import ZERO, CostSum
from tenantscope_cost_explorer.ranking import TenantSum
from tenantscope_cost_explorer.rules import Method

Metric = Literal["AmortizedCost", "NetAmortizedCost", "UnblendedCost", "NetUnblendedCost"]
NONE = "(none)"
DIMENSIONS = {"service": "SERVICE", "charge_category": "RECORD_TYPE"}
TAGGED = ("feature", "environment")
EXACTLY = ["EQUALS", "CASE_SENSITIVE"]
"""Both, though AWS takes them for granted: `acme` and `Acme` are two tenants."""
KEPT_MONTHS = 13
"""How many whole months before this one Cost Explorer keeps where an account asked for no more."""
PRICE = Decimal("0.01")
"""USD for a request, each page being one: https://aws.amazon.com/aws-cost-management/aws-cost-explorer/pricing/"""


class Unreadable(ValueError):
    """An answer that is not to the question; the text names no value of it."""


@dataclass(frozen=True, slots=True)
class Tags:
    """The keys of the cost allocation tags that say whose a charge is, and of what; None where nothing does."""

    tenant: str
    feature: str | None = None
    environment: str | None = None

    def of(self, group: str) -> str | None:
        """The key that a group or filter goes by."""
        return self.feature if group == "feature" else self.environment


@dataclass(frozen=True, slots=True)
class Question:
    """Costs from `start` to `end` (excluded), by day or by month, and by a group beside where there is one.

    `group` and the names of `filters` are among `DIMENSIONS` and `TAGGED`. `by_tenant` is a question about the fleet.
    """

    start: date
    end: date
    daily: bool
    group: str | None = None
    filters: tuple[tuple[str, str], ...] = ()
    by_tenant: bool = False


@dataclass(frozen=True, slots=True)
class TaggedCost:
    """One sum: of the day or month that begins on `day`; `tenant` and `name` are None where nothing names them."""

    day: date
    tenant: str | None
    name: str | None
    currency: str
    amount: Decimal
    estimated: bool


def request_of(
    question: Question, tags: Tags, metric: Metric, *, tenant: str | None, view: str | None
) -> dict[str, Any]:
    """The parameters of the request.

    With a tenant it always asks for the charges that bear the tenant's tag, and to be told of each sum whose it is, so
    that the answer can be looked at again.

    Raises:
        ValueError: A tenant's question is about the fleet.
    """
    if tenant is not None and question.by_tenant:
        raise ValueError("a tenant's question is about itself")
    own = [{"Tags": {"Key": tags.tenant, "Values": [tenant], "MatchOptions": EXACTLY}}] if tenant is not None else []
    conditions = [*own, *(_condition(name, value, tags) for name, value in question.filters)]
    groups = [{"Type": "TAG", "Key": tags.tenant}] if _tells_tenant(question, tenant) else []
    if question.group is not None:
        groups.append(_group(question.group, tags))
    return {
        "TimePeriod": {"Start": str(question.start), "End": str(question.end)},
        "Granularity": "DAILY" if question.daily else "MONTHLY",
        "Metrics": [metric],
        **({"Filter": conditions[0] if len(conditions) == 1 else {"And": conditions}} if conditions else {}),
        **({"GroupBy": groups} if groups else {}),
        **({"BillingViewArn": view} if view is not None else {}),
    }


def costs_of(
    page: Mapping[str, Any], question: Question, tags: Tags, metric: Metric, *, tenant: str | None
) -> list[TaggedCost]:
    """What one page says, without sums of nothing.

    Raises:
        Unreadable: It is not an answer to the question, or of another tenant.
    """
    found: list[TaggedCost] = []
    names_tenant = _tells_tenant(question, tenant)
    try:
        for result in page["ResultsByTime"]:
            day, estimated = date.fromisoformat(result["TimePeriod"]["Start"][:10]), bool(result.get("Estimated"))
            for keys, metrics in _groups(result, grouped=names_tenant or question.group is not None):
                amount = Decimal(metrics[metric]["Amount"])
                if not amount.is_finite():
                    raise Unreadable("an amount is no number")
                owner = _tag_value(keys.pop(0), tags.tenant) if names_tenant else None
                if tenant is not None and owner != tenant:
                    raise Unreadable("a sum is not of the tenant that was asked for")
                name = _name(keys.pop(0), question.group, tags) if question.group is not None else None
                if keys:
                    raise Unreadable("a sum has more keys than were asked for")
                if amount:
                    found.append(TaggedCost(day, owner, name, str(metrics[metric]["Unit"]), amount, estimated))
    except Unreadable:
        raise
    except (LookupError, TypeError, ValueError, InvalidOperation, AttributeError):
        raise Unreadable("an answer has not the form of one") from None
    return found


def latest_month(today: date) -> Month:
    """The month of yesterday: of a day that only began, Cost Explorer knows nothing."""
    yesterday = today - timedelta(days=1)
    return Month(yesterday.year, yesterday.month)


def period_before(period: Period, today: date) -> Period | None:
    """The period to compare with; None where Cost Explorer may have thrown it away."""
    before = period.before()
    return before if before.start >= Month(today.year, today.month).shift(-KEPT_MONTHS).first_day else None


def cost_sums(costs: Iterable[TaggedCost], period: Period, group_by: str, *, method: str) -> list[CostSum]:
    """Sums by currency and name; what lies before the period is `before`."""
    sums: dict[tuple[str, str], list[Decimal]] = {}
    for one in costs:
        sums.setdefault((one.currency, _label(one, group_by)), [ZERO, ZERO])[one.day < period.start] += one.amount
    return [CostSum(currency, name, method, now, before) for (currency, name), (now, before) in sums.items()]


def tenant_sums(costs: Iterable[TaggedCost], period: Period) -> dict[str, list[TenantSum]]:
    """Sums by currency and tenant; what bears no tag, or one that is no tenant id, is the residual."""
    sums: dict[str, dict[str | None, list[Decimal]]] = {}
    for one in costs:
        tenant = one.tenant if one.tenant is not None and re.fullmatch(TENANT_ID, one.tenant) else None
        of_tenant = sums.setdefault(one.currency, {}).setdefault(tenant, [ZERO, ZERO])
        of_tenant[one.day < period.start] += one.amount
    return {
        currency: [TenantSum(tenant, now, now if tenant else ZERO, before) for tenant, (now, before) in tenants.items()]
        for currency, tenants in sums.items()
    }


def method_of(tenant: str | None) -> str:
    """How the costs came to whom they are shown for: by the tag; of the fleet no method is known."""
    return Method.DIRECT if tenant is not None else ""


def _tells_tenant(question: Question, tenant: str | None) -> bool:
    return tenant is not None or question.by_tenant


def _condition(name: str, value: str, tags: Tags) -> dict[str, Any]:
    if name in DIMENSIONS:
        return {"Dimensions": {"Key": DIMENSIONS[name], "Values": [value], "MatchOptions": EXACTLY}}
    if value == NONE:
        return {"Tags": {"Key": tags.of(name), "MatchOptions": ["ABSENT"]}}
    return {"Tags": {"Key": tags.of(name), "Values": [value], "MatchOptions": EXACTLY}}


def _group(name: str, tags: Tags) -> dict[str, Any]:
    if name in DIMENSIONS:
        return {"Type": "DIMENSION", "Key": DIMENSIONS[name]}
    return {"Type": "TAG", "Key": tags.of(name)}


def _groups(result: Mapping[str, Any], *, grouped: bool) -> list[tuple[list[str], Mapping[str, Any]]]:
    if grouped:
        return [(list(group["Keys"]), group["Metrics"]) for group in result.get("Groups", [])]
    return [([], result["Total"])]


def _name(key: str, group: str, tags: Tags) -> str | None:
    return (key or None) if group in DIMENSIONS else _tag_value(key, str(tags.of(group)))


def _tag_value(key: str, tag: str) -> str | None:
    """The value in `tag$value`, None where it is empty, which is what has no such tag."""
    if not key.startswith(f"{tag}$"):
        raise Unreadable("a sum names another tag than was asked for")
    return key.removeprefix(f"{tag}$") or None


def _label(one: TaggedCost, group_by: str) -> str:
    if group_by == "day":
        return str(one.day)
    return f"{one.day:%Y-%m}" if group_by == "month" else one.name or NONE
