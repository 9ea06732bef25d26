"""How pools of shared cost find the tenants that share them: by feature first where a rule says so, then by drivers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from tenantscope_cost_explorer.allocation.rules import EVEN, Measure, Method, RuleSet, Split
from tenantscope_cost_explorer.allocation.split import Parts, Window, split

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EFFECTIVE_COST = "EffectiveCost"
WHOLE = 10**18
"""A ratio of 1: ratios are whole numbers of 10^-18 and sum to it."""
CASCADED = " > "
"""Between the two measures in the name of a method that goes by features first."""
Amounts = tuple[int, int, int | None]
"""EffectiveCost, BilledCost and, where it is known, ConsumedQuantity, in whole numbers of 10^-12."""
_UNITS = {"calls": "Calls", "bytes": "Bytes", "errors": "Errors", "tokens": "Tokens", "requests": "Requests"}


@dataclass(frozen=True, slots=True)
class Driver:
    """One driver in a rule's fallback chain: `scope` says within what its shares are taken."""

    name: str
    per: str
    scope: str
    unit: str
    scale: int


@dataclass(frozen=True, slots=True)
class Key:
    """What a window of weights is for; `within` is a feature or a currency, or empty for the fleet."""

    driver: str
    per: str
    scope: str
    day: date
    within: str


@dataclass(frozen=True, slots=True)
class FeatureWeights:
    """What a cascade goes by: features in code point order."""

    features: list[str]
    weights: "NDArray[np.int64]"
    total: int


@dataclass(frozen=True, slots=True)
class Pool:
    """What one rule consumed with the same days, service and so on; `cell` is the number of all these."""

    cell: int
    rule: int
    day: date
    feature: str | None
    currency: str
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Share:
    """A pool, or what of it came to one feature, with who shares it; nobody does where no driver measures anything.

    `ratio` is its part of the pool, in whole numbers of 10^-18; `method_id` says how it was shared.
    """

    cell: int
    feature: str | None
    ratio: int
    amounts: Amounts
    method: Method
    method_id: str | None
    driver: Driver | None
    window: Window | None


def chain(rule: Split) -> list[Driver]:
    """A rule's drivers in their order."""
    found = [Driver(EFFECTIVE_COST, "month", "currency", "Cost", 12)] if rule.method is Method.PROXY else []
    for driver in rule.drivers:
        if isinstance(driver, Measure):
            scope = "feature" if rule.cascade is not None and driver.has_feature else "fleet"
            unit = _UNITS.get(driver.column, driver.column)
            found.append(Driver(str(driver), rule.per, scope, unit, driver.scale))
        else:
            found.append(Driver(EVEN, "month", "fleet", "Tenants", 0))
    return found


def shares(
    pools: Iterable[Pool],
    rules: RuleSet,
    month: date,
    windows: Mapping[Key, Window],
    features: Mapping[tuple[str, str, date], FeatureWeights],
) -> Iterator[Share]:
    """Every share of these pools; `features` has the weights of cascades by driver, window and day."""
    chains = {
        number: chain(rule.allocate) for number, rule in enumerate(rules.rules) if isinstance(rule.allocate, Split)
    }
    for pool in pools:
        rule = rules.rules[pool.rule].allocate
        if not isinstance(rule, Split):
            raise ValueError(f"{rules.rules[pool.rule].name} shares nothing")
        day = pool.day if rule.per == "day" else month
        cascade = None if rule.cascade is None else str(rule.cascade)
        among = None if cascade is None or pool.feature is not None else features.get((cascade, rule.per, day))
        pieces = [(pool.feature, WHOLE, pool.amounts)] if among is None else _by_feature(pool, among)
        within = pool.feature if cascade is not None else None
        for feature, ratio, amounts in pieces:
            inside = within if among is None else feature
            driver, window = _first(chains[pool.rule], day, month, inside, pool.currency, windows)
            method = _method(driver)
            by = [] if among is None else [str(cascade)]
            by += [driver.name] if driver is not None else [str(method)] if by else []
            method_id = f"{CASCADED.join(by)} per {driver.per if driver is not None else rule.per}" if by else None
            yield Share(pool.cell, feature, ratio, amounts, method, method_id, driver, window)


def _first(
    drivers: Iterable[Driver], day: date, month: date, feature: str | None, currency: str, windows: Mapping[Key, Window]
) -> tuple[Driver, Window] | tuple[None, None]:
    """The first driver that measures anything, and its window."""
    for driver in drivers:
        match driver.scope:
            case "feature":
                within = feature
            case "currency":
                within = currency
            case _:
                within = ""
        if within is None:
            continue
        key = Key(driver.name, driver.per, driver.scope, day if driver.per == "day" else month, within)
        if window := windows.get(key):
            return driver, window
    return None, None


def _by_feature(pool: Pool, among: FeatureWeights) -> list[tuple[str, int, Amounts]]:
    effective, billed, *known = [
        _whole_parts(split(amount, among.weights, among.total), among.weights)
        for amount in pool.amounts
        if amount is not None
    ]
    quantities: list[int | None] = [*known[0]] if known else [None] * len(among.features)
    ratios = _whole_parts(split(WHOLE, among.weights, among.total), among.weights)
    return [
        (feature, ratio, (one, other, quantity))
        for feature, ratio, one, other, quantity in zip(
            among.features, ratios, effective, billed, quantities, strict=True
        )
    ]


def _whole_parts(parts: Parts, weights: "NDArray[np.int64]") -> list[int]:
    return [
        parts.sign * (parts.times * weight + rest)
        for weight, rest in zip(weights.tolist(), parts.rest.tolist(), strict=True)
    ]


def _method(driver: Driver | None) -> Method:
    if driver is None:
        return Method.RESIDUAL
    return {EVEN: Method.EVEN, EFFECTIVE_COST: Method.PROXY}.get(driver.name, Method.DRIVER)
