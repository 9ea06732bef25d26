"""Prices in a few words, as a person would say them."""

from decimal import Decimal

from tenantscope_pricing.book import ZERO, Flat, Package, Percentage, PerUnit, Plan, Price, Tiered


def plain(value: Decimal) -> str:
    """A number without needless zeros, thousands apart."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(value: Decimal) -> str:
    """A price as the book has it, thousands apart."""
    return f"{value:,f}"


def price_in_words(price: Price, unit: str) -> str:
    """A price: `first 1,500 free, then 0.10 each to 4,000, then 0.09 each`."""
    said = _model(price, unit)
    if price.included:
        said = f"first {plain(price.included)} free, then {said}"
    if price.minimum:
        said += f"; at least {money(price.minimum)} a month"
    if price.maximum is not None:
        said += f"; at most {money(price.maximum)} a month"
    return said


def _model(price: Price, unit: str) -> str:
    match price.model:
        case Flat(amount):
            return f"{money(amount)} a month"
        case PerUnit(unit_price):
            return f"{money(unit_price)} per {unit}"
        case Package(size, amount):
            return f"{money(amount)} per {plain(size)} {unit}s begun"
        case Percentage(percent, of):
            return f"{plain(percent)} % of {', '.join(of) if of else unit}"
        case Tiered(mode, tiers):
            steps = [
                f"{money(tier.unit_price)} each"
                + (f" plus {money(tier.fee)}" if tier.fee else "")
                + (f" to {plain(tier.up_to)}" if tier.up_to is not None else "")
                for tier in tiers
                if tier.up_to is None or tier.up_to > price.included
            ]
            joined = ", then ".join(steps)
            return joined if mode == "graduated" else f"all at the tier of the total: {joined.replace(', then', ',')}"


def differences(old: Plan, new: Plan, units: dict[str, str]) -> list[str]:
    """What changes from one form of a plan to another."""
    said: list[str] = []
    if old.fee != new.fee:
        said.append(f"fee {old.fee} → {new.fee}")
    if old.minimum != new.minimum:
        said.append(f"minimum {old.minimum or ZERO} → {new.minimum}")
    if old.prorated != new.prorated:
        said.append("prorated by day" if new.prorated else "no longer prorated")
    before = {price.line: price for price in old.prices}
    for price in new.prices:
        was = before.pop(price.line, None)
        now = price_in_words(price, units.get(price.meter or "", "unit"))
        if was is None:
            said.append(f"{price.line} new: {now}")
        elif was != price:
            said.append(f"{price.line}: {price_in_words(was, units.get(was.meter or '', 'unit'))} → {now}")
    said += [f"{line} no longer charged" for line in before]
    added, gone = [
        [f for f in a if f not in b] for a, b in ((new.features, old.features), (old.features, new.features))
    ]
    said += [f"features added: {', '.join(added)}"] * bool(added) + [f"features removed: {', '.join(gone)}"] * bool(
        gone
    )
    if not said and old != new:
        said.append("name or visibility")
    return said
