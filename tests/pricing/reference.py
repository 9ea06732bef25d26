"""What a bill comes to, worked out a second way: by fractions, a unit or a day at a time, from the file's own words."""

import math
from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

STEP = Fraction(1, 10**6)


def nearest(value: Fraction, per: int, *, even: bool) -> Fraction:
    """The nearest whole number of `1/per`; halves to the even one, or away from zero."""
    scaled = value * per
    below = math.floor(scaled)
    rest = scaled - below
    up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and (below % 2 == 1 if even else scaled > 0))
    return Fraction(below + up, per)


def price_at(tiers: list[Mapping[str, Any]], ends: list[Fraction | None], unit: Fraction) -> int:
    """The number of the tier that a unit lies in, counted from just above zero."""
    return next(n for n, end in enumerate(ends) if end is None or unit <= end)


class Part:
    """Days of a month: `first` is counted from 0, `last` is excluded."""

    def __init__(self, first: int, last: int, of: int, prorated: bool) -> None:
        self.first, self.last, self.of = first, last, of
        self.whole = not prorated or last - first == of

    def of_month(self, value: Any, per: int) -> Fraction:
        """A month's amount day by day: what each day adds to what is due by its end."""
        exact = Fraction(value)
        if self.whole:
            return exact
        due = [nearest(exact * day / self.of, per, even=True) for day in range(self.of + 1)]
        return sum((due[day + 1] - due[day] for day in range(self.first, self.last)), Fraction(0))


def charge(price: Mapping[str, Any], used: Fraction, part: Part, per: int) -> Fraction:
    """The exact amount of a metered line, before its maximum and its rounding."""
    used = max(used, Fraction(0))
    free = min(part.of_month(price.get("included", 0), 10**6), used)
    billable = used - free
    match price["model"]:
        case "flat":
            return part.of_month(price["amount"], per)
        case "per_unit":
            return billable * Fraction(price["unit_price"])
        case "percentage":
            return billable * Fraction(price["percent"]) / 100
        case "package":
            return math.ceil(billable / Fraction(price["package_size"])) * Fraction(price["package_price"])
        case "volume" | "graduated" as mode:
            tiers = price["tiers"]
            ends = [part.of_month(t["up_to"], 10**6) if "up_to" in t else None for t in tiers]
            if billable == 0:
                return Fraction(0)
            if mode == "volume":
                tier = tiers[price_at(tiers, ends, used)]
                return billable * Fraction(tier["unit_price"]) + part.of_month(tier.get("fee", 0), per)
            return _along(tiers, ends, free, used, part, per)
        case other:
            raise ValueError(other)


def _along(
    tiers: list[Mapping[str, Any]], ends: list[Fraction | None], free: Fraction, used: Fraction, part: Part, per: int
) -> Fraction:
    """Walk from the last free unit to the last one used, from one tier's end to the next."""
    total, at = Fraction(0), free
    while at < used:
        number = price_at(tiers, ends, at + STEP)
        end = ends[number]
        until = used if end is None else min(used, end)
        total += (until - at) * Fraction(tiers[number]["unit_price"]) + part.of_month(tiers[number].get("fee", 0), per)
        at = until
    return total


def bill(
    document: Mapping[str, Any],
    tenant: str,
    month: date,
    used: Mapping[date, Mapping[str, Fraction]],
    *,
    per: int = 100,
) -> dict[tuple[int, str], Fraction]:
    """The lines of a month before credits, by the number of the term's part and the line's name."""
    even = document.get("rounding") == "half_even"
    after = (month + timedelta(days=32)).replace(day=1)
    of = (after - month).days
    lines: dict[tuple[int, str], Fraction] = {}
    terms: list[Mapping[str, Any]] = document["contracts"][tenant]["terms"]
    number = 0
    for position, term in enumerate(terms):
        following = terms[position + 1]["since"] if position + 1 < len(terms) else date.max
        days = [
            month + timedelta(days=n)
            for n in range(of)
            if term["since"] <= month + timedelta(days=n) < following
            and month + timedelta(days=n) <= term.get("through", date.max)
        ]
        if not days:
            continue
        reigning = [v for v in document["versions"] if v["effective"] <= f"{month:%Y-%m}"][-1]
        named = [v for v in document["versions"] if v["version"] == term.get("version")]
        plan = (named or [reigning])[0]["plans"][term["plan"]]
        part = Part((days[0] - month).days, (days[-1] - month).days + 1, of, plan.get("proration", "day") == "day")
        own: dict[str, Fraction] = {}
        prices: dict[str, Mapping[str, Any]] = {**plan.get("prices", {}), **term.get("prices", {})}
        prices = {"fee": {"model": "flat", "amount": term.get("fee", plan.get("fee", 0))}, **prices}
        discount: Mapping[str, Any] = term.get("discount", {"percent": 0})
        for line, price in prices.items():
            if "of" in price:
                exact = sum((own[each] for each in price["of"]), Fraction(0)) * Fraction(price["percent"]) / 100
            else:
                meter = document["meters"].get(price.get("meter", line), {})
                each_day = [used.get(day, {}).get(price.get("meter", line), Fraction(0)) for day in days]
                quantity = max(each_day) if meter.get("aggregate") == "max" else sum(each_day, Fraction(0))
                if meter.get("aggregate") == "max" and not part.whole:
                    quantity = nearest(max(quantity, Fraction(0)) * len(days) / of, 10**6, even=True)
                exact = charge(price, quantity, part, per)
            if "maximum" in price:
                exact = min(exact, part.of_month(price["maximum"], per))
            gross = nearest(exact, per, even=even)
            if discount["percent"] and line in (discount.get("lines") or prices):
                gross -= nearest(gross * Fraction(discount["percent"]) / 100, per, even=even)
            own[line] = gross
            lines[number, line] = gross
            missing = part.of_month(price.get("minimum", 0), per) - gross
            if missing > 0:
                lines[number, f"{line} minimum"] = missing
        sofar = sum((amount for (one, _), amount in lines.items() if one == number), Fraction(0))
        missing = part.of_month(term.get("minimum", plan.get("minimum", 0)), per) - sofar
        if missing > 0:
            lines[number, "minimum"] = missing
        number += 1
    return {key: amount for key, amount in lines.items() if amount}
