"""What a list of plans leaves out where it is too large: each kind counted, the names of plans and lines kept."""

from collections.abc import Callable

from tenantscope_pricing.models import ContractRow, PlanList, PlanRow, PriceRow
from tenantscope_pricing.room import Less, fitted


def fitted_plans(answer: PlanList) -> PlanList:
    """The list within its room, `truncated` where anything was left out.

    In this order: tiers (words still say them), further plans, features, what is coming, what is agreed apart (the
    tenant's own plan has it), credits, and last the lines at the end of the one plan that is left.
    """
    return fitted(answer, _ORDER)


def _without_tiers(price: PriceRow) -> PriceRow:
    if price.tiers is None:
        return price
    return price.model_copy(update={"tiers": None, "tier_count": len(price.tiers)})


def _tiers(plan: PlanRow) -> PlanRow:
    return plan.model_copy(update={"prices": [_without_tiers(price) for price in plan.prices]})


def _features(plan: PlanRow) -> PlanRow:
    if not plan.features:
        return plan
    return plan.model_copy(update={"features": [], "feature_count": len(plan.features)})


def _coming(plan: PlanRow) -> PlanRow:
    if plan.coming is None:
        return plan
    return plan.model_copy(update={"coming": None, "coming_count": len(plan.coming)})


def _last_line(plan: PlanRow) -> PlanRow:
    if len(plan.prices) < 2:
        return plan
    *shown, last = plan.prices
    return plan.model_copy(update={"prices": shown, "other_lines": [last.line, *(plan.other_lines or [])]})


def _agreed(contract: ContractRow) -> ContractRow:
    terms = [
        term if term.agreed is None else term.model_copy(update={"agreed": None, "agreed_apart": True})
        for term in contract.terms
    ]
    return contract.model_copy(update={"terms": terms})


def _oldest_credit(contract: ContractRow) -> ContractRow:
    return contract.model_copy(update={"credits": contract.credits[1:]})


def _last_plan(answer: PlanList) -> PlanList | None:
    if len(answer.plans) < 2:
        return None
    *shown, last = answer.plans
    return answer.model_copy(
        update={
            "plans": shown,
            "other_plans": [last.plan, *answer.other_plans],
            "truncated": True,
            "next": "get_plans with plan=<one of other_plans>",
        }
    )


def _in_plans(change: Callable[[PlanRow], PlanRow]) -> Less[PlanList]:
    def less(answer: PlanList) -> PlanList | None:
        plans = [change(plan) for plan in answer.plans]
        return None if plans == answer.plans else answer.model_copy(update={"plans": plans, "truncated": True})

    return less


def _in_contract(change: Callable[[ContractRow], ContractRow]) -> Less[PlanList]:
    def less(answer: PlanList) -> PlanList | None:
        if answer.contract is None or (contract := change(answer.contract)) == answer.contract:
            return None
        return answer.model_copy(update={"contract": contract, "truncated": True})

    return less


_ORDER: tuple[Less[PlanList], ...] = (
    _in_plans(_tiers),
    _last_plan,
    _in_plans(_features),
    _in_plans(_coming),
    _in_contract(_agreed),
    _in_contract(_oldest_credit),
    _in_plans(_last_line),
)
