"""Allocation done slowly, in plain Python and whole numbers, straight from the rules as a person wrote them."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, cast

UNIT = 10**12
LIMIT = 10**15

Rules = Mapping[str, Any]


@dataclass(frozen=True)
class Charge:
    """One row of a bill."""

    day: date
    day_end: date
    effective: Decimal
    billed: Decimal
    tags: Mapping[str, str]
    service: str | None = None
    charge_category: str | None = "Usage"
    charge_class: str | None = None
    sub_account: str | None = None
    billing_account: str | None = "payer"
    resource: str | None = None
    region: str | None = None
    commitment_status: str | None = None
    description: str | None = None
    invoice: str = "INV-1"
    currency: str = "USD"


@dataclass(frozen=True)
class Used:
    """One measured quantity of one tenant on one day."""

    tenant: str
    day: date
    measure: str
    feature: str
    quantity: Decimal


@dataclass(frozen=True, order=True)
class Key:
    """What tells one allocated row from another."""

    tenant: str
    day: date
    service: str
    feature: str
    environment: str
    charge_category: str
    sub_account: str
    invoice: str
    currency: str
    method: str
    rule: str


Costs = tuple[int, int]
Weights = dict[str, int]


def matches(charge: Charge, match: Mapping[str, Any]) -> bool:
    """Whether all of a rule's conditions hold."""
    for key, wanted in match.items():
        pairs: Iterable[tuple[str | None, Any]] = (
            [(charge.tags.get(tag), each) for tag, each in wanted.items()]
            if key == "tag"
            else [(getattr(charge, key), wanted)]
        )
        for value, each in pairs:
            if not value:
                return False
            options = cast(list[str], each) if isinstance(each, list) else [each]
            if each == "*":
                continue
            if key == "description":
                if not any(part in value for part in options):
                    return False
            elif value not in options:
                return False
    return True


def selected(charge: Charge, selector: Mapping[str, str] | None) -> str | None:
    """The value that `{tag: x}` or `{column: y}` names."""
    if selector is None:
        return None
    value = charge.tags.get(selector["tag"]) if "tag" in selector else getattr(charge, selector["column"])
    return value or None


def by_the_month(how: Mapping[str, Any]) -> bool:
    """Whether the rule shares by the month, and so keeps no days."""
    return how["method"] in ("even", "proxy") or (how["method"] == "driver" and how.get("per") != "day")


def direct_tenant(charge: Charge, tenant: Mapping[str, Any]) -> str | None:
    """The one tenant a direct rule gives the charge to."""
    if "map" in tenant:
        ((key, names),) = tenant["map"].items()
        if key == "tag":
            ((tag, names),) = names.items()
            return names.get(charge.tags.get(tag))
        return names.get(getattr(charge, key))
    value = selected(charge, tenant)
    return value if value is not None and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", value) else None


def largest_remainder(pool: int, weights: Weights) -> Weights:
    """Whole parts of a pool in proportion to the weights, summing to it exactly."""
    total = sum(weights.values())
    if total > LIMIT:
        divisor = total // LIMIT + 1
        weights = {key: weight // divisor for key, weight in weights.items()}
        total = sum(weights.values())
    size, sign = abs(pool), -1 if pool < 0 else 1
    parts = {key: size * weight // total for key, weight in weights.items()}
    left = size - sum(parts.values())
    for key in sorted(weights, key=lambda key: (-(size * weights[key] % total), key))[:left]:
        parts[key] += 1
    return {key: sign * part for key, part in parts.items()}


def allocate(
    charges: Iterable[Charge], rules: Rules, used: Iterable[Used], active: set[str], scale: Mapping[str, int]
) -> dict[Key, Costs]:
    """Every allocated row; a residual row has the tenant ''."""
    usage = list(used)
    result: dict[Key, list[int]] = defaultdict(lambda: [0, 0])

    def weights(measure: str, feature: str | None, days: Callable[[date], bool], by: str = "tenant") -> Weights:
        sums: Weights = defaultdict(int)
        for row in usage:
            if row.measure == measure and days(row.day) and (feature is None or row.feature == feature):
                sums[getattr(row, by)] += int(row.quantity * 10 ** scale[measure])
        return {key: quantity for key, quantity in sums.items() if quantity > 0}

    def add(tenant: str, pool: Key, feature: str, method: str, costs: Costs) -> None:
        key = Key(
            tenant, pool.day, pool.service, feature, pool.environment, pool.charge_category, pool.sub_account,
            pool.invoice, pool.currency, method, pool.rule,
        )  # fmt: skip
        result[key][0] += costs[0]
        result[key][1] += costs[1]

    pools: dict[tuple[Key, date], list[int]] = defaultdict(lambda: [0, 0])
    for charge in charges:
        rule = next((rule for rule in rules["rules"] if matches(charge, rule["match"])), None)
        tenant = ""
        if rule is not None and rule["allocate"]["method"] == "direct":
            tenant = direct_tenant(charge, rule["allocate"]["tenant"]) or ""
        day, day_end = charge.day, charge.day_end
        if rule is not None and by_the_month(rule["allocate"]):
            day, day_end = charge.day.replace(day=1), date.max
        key = Key(
            tenant, day, charge.service or "", selected(charge, rules.get("feature")) or "",
            selected(charge, rules.get("environment")) or "", charge.charge_category or "", charge.sub_account or "",
            charge.invoice, charge.currency, "", rule["name"] if rule is not None else "",
        )  # fmt: skip
        pools[key, day_end][0] += int(charge.effective * UNIT)
        pools[key, day_end][1] += int(charge.billed * UNIT)

    by_name = {rule["name"]: rule["allocate"] for rule in rules["rules"]}

    def split(pool: Key, costs: Costs, chain: list[tuple[str, Weights]]) -> None:
        for method, shares in chain:
            if shares:
                parts = [largest_remainder(cost, shares) for cost in costs]
                for tenant in shares:
                    add(tenant, pool, pool.feature, method, (parts[0][tenant], parts[1][tenant]))
                return
        add("", pool, pool.feature, "residual", costs)

    def drivers(names: list[str], feature: str | None, window: Callable[[date], bool]) -> list[tuple[str, Weights]]:
        chain: list[tuple[str, Weights]] = []
        for name in names:
            if name == "even":
                chain.append(("even", dict.fromkeys(active, 1)))
            else:
                within = None if name.startswith("usage.") else feature
                chain.append(("driver", weights(name, within, window)))
        return chain

    proxies: list[tuple[Key, Costs]] = []
    for (pool, _), sums in pools.items():
        costs = sums[0], sums[1]
        how = by_name.get(pool.rule, {"method": "residual"})
        if how["method"] == "direct":
            add(pool.tenant, pool, pool.feature, "direct" if pool.tenant else "residual", costs)
        elif how["method"] == "residual":
            add("", pool, pool.feature, "residual", costs)
        elif how["method"] == "proxy":
            proxies.append((pool, costs))
        elif how["method"] == "even":
            split(pool, costs, drivers(["even"], None, lambda day: True))
        else:
            day_of_pool = pool.day
            by_day = how.get("per") == "day"

            def window(day: date, only: date = day_of_pool, by_day: bool = by_day) -> bool:
                return day == only if by_day else True

            chain = [how["metric"], *how.get("fallback", [])]
            if "cascade" not in how:
                split(pool, costs, drivers(chain, None, window))
            elif pool.feature:
                split(pool, costs, drivers(chain, pool.feature, window))
            elif shares := weights(how["cascade"]["feature"], None, window, by="feature"):
                parts = [largest_remainder(cost, shares) for cost in costs]
                for feature in shares:
                    within = replace(pool, feature=feature)
                    split(within, (parts[0][feature], parts[1][feature]), drivers(chain, feature, window))
            else:
                only_fleet = [name for name in chain if name.startswith("usage.") or name == "even"]
                split(pool, costs, drivers(only_fleet, None, window))

    so_far: dict[str, Weights] = defaultdict(lambda: defaultdict(int))
    for key, (effective, _) in result.items():
        if key.tenant:
            so_far[key.currency][key.tenant] += effective
    for pool, costs in proxies:
        shares = {tenant: cost for tenant, cost in so_far[pool.currency].items() if cost > 0}
        chain = by_name[pool.rule].get("fallback", [])
        split(pool, costs, [("proxy", shares), *drivers(chain, None, lambda day: True)])
    return {key: (sums[0], sums[1]) for key, sums in result.items() if any(sums)}
