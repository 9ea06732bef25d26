"""What of the company's spend could be saved, by plain arithmetic on the charges and on the use, month by month."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from . import tenants
from .bill import SAVINGS_PLAN
from .charges import Charges
from .periods import DAYS, MONTHS, days_of
from .skus import ACCOUNTS, COST_SCALE, SKUS, sku_index
from .tenants import TENANT_IDS

QUOTA = 3
"""A quota as a multiple of a tenant's day in the middle."""


def wasted(parts: Sequence[Charges], requests: Mapping[tuple[str, int], Mapping[str, int]]) -> dict[str, Any]:
    """By month: what was left behind, what runs around the clock, the commitment, and the noisy neighbour's bursts.

    `requests` has metric and day number → tenant → quantity.
    """
    by_day = [requests.get(("requests", day), {}) for day in range(len(DAYS))]
    return {
        month: {
            "left_behind": _left_behind(parts, by_day, month),
            "staging": _staging(parts, month),
            "commitment": _commitment(parts, month),
            "bursts": _bursts(by_day, month),
        }
        for month in MONTHS
    }


def _dollars(cost: int | Fraction) -> str:
    return f"{float(Fraction(cost) / COST_SCALE):.6f}"


def _left_behind(parts: Sequence[Charges], by_day: Sequence[Mapping[str, int]], month: str) -> dict[str, str]:
    """By tenant without a request in the month what its own resources cost."""
    present = {tenant for day in days_of(month) for tenant, count in by_day[day].items() if count}
    costs: dict[str, int] = defaultdict(int)
    for part in parts:
        if part.kind == "direct":
            chosen = part.month == MONTHS.index(month)
            for tenant, cost in zip(part.tenant[chosen].tolist(), part.effective[chosen].tolist(), strict=True):
                costs[TENANT_IDS[tenant]] += cost
    return {tenant: _dollars(cost) for tenant, cost in sorted(costs.items()) if cost and tenant not in present}


def _staging(parts: Sequence[Charges], month: str) -> dict[str, dict[str, str]]:
    """By service what staging costs, and what of it on Saturdays and Sundays."""
    weekend = np.array([day.weekday() >= 5 for day in DAYS])
    costs: dict[str, int] = defaultdict(int)
    resting: dict[str, int] = defaultdict(int)
    for part in parts:
        if part.environment == "staging":
            chosen = part.month == MONTHS.index(month)
            rows: list[list[int]] = np.stack((part.sku, part.day, part.effective), axis=1)[chosen].tolist()
            for sku, day, cost in rows:
                costs[SKUS[sku].service] += cost
                resting[SKUS[sku].service] += cost if weekend[day] else 0
    return {one: {"cost": _dollars(cost), "weekends": _dollars(resting[one])} for one, cost in sorted(costs.items())}


def _commitment(parts: Sequence[Charges], month: str) -> dict[str, str]:
    """The savings plan: used, unused, its price over the list price, and what Fargate on demand it could cover."""
    fargate = sku_index("fargate")
    payer = next(one.billing_account for one in ACCOUNTS if one.name == "wayfarer-prod-us")
    ours = [number for number, one in enumerate(ACCOUNTS) if one.billing_account == payer]
    used, listed, unused, on_demand = (np.zeros(len(DAYS), dtype=np.int64) for _ in range(4))
    for part in parts:
        if part.commitment == SAVINGS_PLAN and part.category == "Usage":
            np.add.at(unused if part.commitment_status == "Unused" else used, part.day, part.effective)
            np.add.at(listed, part.day, part.listed)
        elif not part.commitment:
            chosen = (part.sku == fargate) & np.isin(part.account, ours)
            np.add.at(on_demand, part.day[chosen], part.effective[chosen])
    days = days_of(month)
    sums = {name: sum(int(values[day]) for day in days) for name, values in
            {"used": used, "unused": unused, "on_demand": on_demand, "listed": listed}.items()}  # fmt: skip
    rate = Fraction(sums["used"], sums["listed"])
    could = sum((min(Fraction(int(on_demand[day])), int(unused[day]) / rate) for day in days), Fraction(0))
    return {
        "used": _dollars(sums["used"]),
        "unused": _dollars(sums["unused"]),
        "on_demand": _dollars(sums["on_demand"]),
        "could_cover": _dollars(could),
    }


def _bursts(by_day: Sequence[Mapping[str, int]], month: str) -> dict[str, int]:
    """The noisy neighbour's requests: in all, on its day in the middle, on its busiest, and beyond the quota."""
    counts = sorted(by_day[day].get(tenants.NOISY_NEIGHBOUR, 0) for day in days_of(month))
    middle = counts[(len(counts) - 1) // 2]
    beyond = sum(max(0, count - QUOTA * middle) for count in counts)
    return {"requests": sum(counts), "middle": middle, "busiest": counts[-1], "beyond": beyond}
