"""Allocation done slowly, in plain Python and whole numbers, straight from the rules as a person wrote them."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, localcontext
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
    charge_frequency: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
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
    charge_class: str
    charge_frequency: str
    sub_account: str
    invoice: str
    currency: str
    unit: str
    method: str
    rule: str


Amounts = tuple[int, int, int | None]
"""EffectiveCost, BilledCost, and ConsumedQuantity where anything is known of it."""
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


def parts_of(amounts: Amounts, weights: Weights) -> dict[str, Amounts]:
    """The part of each; of a quantity that is not known there are none."""
    effective, billed = (largest_remainder(amount, weights) for amount in amounts[:2])
    quantity = largest_remainder(amounts[2], weights) if amounts[2] is not None else {}
    return {key: (effective[key], billed[key], quantity.get(key)) for key in weights}


def added(one: int | None, other: int | None) -> int | None:
    """A sum as SQL has it."""
    return other if one is None else one if other is None else one + other


def whole(amount: Decimal | None) -> int | None:
    """In whole units of 10^-12."""
    with localcontext() as context:
        context.prec = 60
        return None if amount is None else int(amount * UNIT)


def allocate(
    charges: Iterable[Charge], rules: Rules, used: Iterable[Used], active: set[str], scale: Mapping[str, int]
) -> dict[Key, Amounts]:
    """Every allocated row; a residual row has the tenant ''."""
    usage = list(used)
    result: dict[Key, list[int | None]] = defaultdict(lambda: [0, 0, None])

    def weights(measure: str, feature: str | None, days: Callable[[date], bool], by: str = "tenant") -> Weights:
        sums: Weights = defaultdict(int)
        for row in usage:
            if row.measure == measure and days(row.day) and (feature is None or row.feature == feature):
                sums[getattr(row, by)] += int(row.quantity * 10 ** scale[measure])
        return {key: quantity for key, quantity in sums.items() if quantity > 0}

    def add(tenant: str, pool: Key, feature: str, method: str, amounts: Amounts) -> None:
        if any(amounts):
            key = replace(pool, tenant=tenant, feature=feature, method=method)
            result[key] = [added(*pair) for pair in zip(result[key], amounts, strict=True)]

    pools: dict[tuple[Key, date], list[int | None]] = defaultdict(lambda: [0, 0, None])
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
            selected(charge, rules.get("environment")) or "", charge.charge_category or "", charge.charge_class or "",
            charge.charge_frequency or "", charge.sub_account or "", charge.invoice, charge.currency,
            charge.unit or "", "", rule["name"] if rule is not None else "",
        )  # fmt: skip
        for place, amount in enumerate((charge.effective, charge.billed, charge.quantity)):
            pools[key, day_end][place] = added(pools[key, day_end][place], whole(amount))

    by_name = {rule["name"]: rule["allocate"] for rule in rules["rules"]}

    def split(pool: Key, amounts: Amounts, chain: list[tuple[str, Weights]]) -> None:
        for method, shares in chain:
            if shares:
                for tenant, part in parts_of(amounts, shares).items():
                    add(tenant, pool, pool.feature, method, part)
                return
        add("", pool, pool.feature, "residual", amounts)

    def drivers(names: list[str], feature: str | None, window: Callable[[date], bool]) -> list[tuple[str, Weights]]:
        chain: list[tuple[str, Weights]] = []
        for name in names:
            if name == "even":
                chain.append(("even", dict.fromkeys(active, 1)))
            else:
                within = None if name.startswith("usage.") else feature
                chain.append(("driver", weights(name, within, window)))
        return chain

    proxies: list[tuple[Key, Amounts]] = []
    for (pool, _), sums in pools.items():
        costs = sums[0] or 0, sums[1] or 0, sums[2]
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
                for feature, part in parts_of(costs, shares).items():
                    within = replace(pool, feature=feature)
                    split(within, part, drivers(chain, feature, window))
            else:
                only_fleet = [name for name in chain if name.startswith("usage.") or name == "even"]
                split(pool, costs, drivers(only_fleet, None, window))

    so_far: dict[str, Weights] = defaultdict(lambda: defaultdict(int))
    for key, (effective, _, _) in result.items():
        if key.tenant:
            so_far[key.currency][key.tenant] += effective or 0
    for pool, costs in proxies:
        shares = {tenant: cost for tenant, cost in so_far[pool.currency].items() if cost > 0}
        chain = by_name[pool.rule].get("fallback", [])
        split(pool, costs, [("proxy", shares), *drivers(chain, None, lambda day: True)])
    return {key: (sums[0] or 0, sums[1] or 0, sums[2]) for key, sums in result.items() if any(sums)}
