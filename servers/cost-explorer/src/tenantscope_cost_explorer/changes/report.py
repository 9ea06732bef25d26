"""Contributions made presentable: totals by driver, the largest lines, every figure in cents and still adding up."""

from collections.abc import Iterable, Sequence
from decimal import Decimal, localcontext
from itertools import groupby

from tenantscope_core.results.answers import percent
from tenantscope_core.results.money import round_half_even, round_to_total

from tenantscope_cost_explorer.changes.answers import ChangeLine, CurrencyChange, DriverChange, OtherChanges, PerDay
from tenantscope_cost_explorer.changes.drivers import Amounts, Contribution, Driver, Lengths, by_driver, explain

ZERO = Decimal(0)
RESIDUAL, OTHER_TENANTS = "(residual)", "(other tenants)"
_WORDS = {
    Driver.DAYS: "the length of the periods",
    Driver.VOLUME: "volume",
    Driver.UNIT_PRICE: "unit price",
    Driver.MIX: "mix",
    Driver.NEW: "new cost",
    Driver.GONE: "cost that is gone",
    Driver.ONE_OFF: "one-off charges",
    Driver.UNMEASURED: "charges without a quantity",
}
_DIGITS = 90
_QUANTITY_DIGITS = 6


def currency_change(
    currency: str, amounts: Sequence[Amounts], lengths: Lengths, *, compared_with: str, lines: int, names_tenants: bool
) -> CurrencyChange:
    """The change in one currency, at most so many lines of it; a tenant's own answer does not name it in each line."""
    contributions = explain(amounts, lengths)
    # The length of a period is nobody's doing and moves every cell alike: it is a driver, and no line.
    shown = [one for one in contributions if one.driver is not Driver.DAYS][:lines]
    listed = {id(one) for one in shown}
    others = [one for one in contributions if id(one) not in listed]
    with localcontext() as context:
        context.prec = _DIGITS
        was, now = sum((one.before for one in amounts), ZERO), sum((one.after for one in amounts), ZERO)
        exact = now - was
        rest = sum((one.change for one in others), ZERO)
    before, after = round_half_even(was), round_half_even(now)
    change = after - before
    drivers = by_driver(contributions)
    driver_cents = _settled(list(drivers.values()), change)
    line_cents = _settled([*(one.change for one in shown), rest], change)
    if not others:  # there is no other line that could hold what rounding left
        line_cents = [*_settled([one.change for one in shown], change), ZERO]
    return CurrencyChange(
        currency=currency,
        summary=_summary(currency, change, exact, was, compared_with, contributions, drivers, names_tenants),
        before=before,
        after=after,
        change=change,
        change_percent=percent(exact, was),
        per_day=_per_day(was, now, lengths),
        drivers=[
            DriverChange(driver=driver.value, change=cents) for driver, cents in zip(drivers, driver_cents, strict=True)
        ],
        lines=[_line(one, cents, names_tenants) for one, cents in zip(shown, line_cents, strict=False)],
        other=OtherChanges(lines=len(others), change=line_cents[-1]) if others else None,
        line_count=len(contributions),
        truncated=bool(others),
    )


def by_currency(amounts: Iterable[tuple[str, Amounts]]) -> list[tuple[str, list[Amounts]]]:
    """Amounts by currency, the currency with the most cost first."""
    ordered = sorted(amounts, key=lambda one: one[0])
    groups = [(name, [each[1] for each in group]) for name, group in groupby(ordered, key=lambda one: one[0])]
    return sorted(groups, key=lambda one: (-sum(abs(each.before) + abs(each.after) for each in one[1]), one[0]))


def _settled(parts: Sequence[Decimal], total: Decimal) -> list[Decimal]:
    """Parts in cents that sum to `total`, which may be a cent beside their sum: the largest part takes the rest."""
    if not parts:
        return []
    with localcontext() as context:
        context.prec = _DIGITS
        moved = list(parts)
        largest = max(range(len(parts)), key=lambda place: abs(parts[place]))
        moved[largest] += total - sum(parts, ZERO)
        return round_to_total(moved)


def _per_day(was: Decimal, now: Decimal, lengths: Lengths) -> PerDay | None:
    if lengths.before == lengths.after:
        return None
    before, after = round_half_even(was / lengths.before), round_half_even(now / lengths.after)
    return PerDay(before=before, after=after, change=after - before)


def _line(one: Contribution, cents: Decimal, names_tenants: bool) -> ChangeLine:
    return ChangeLine(
        tenant_id=one.cell.tenant if names_tenants else None,
        service=one.cell.service,
        feature=one.cell.feature,
        driver=one.driver.value,
        change=cents,
        before=round_half_even(one.before),
        after=round_half_even(one.after),
        quantity_before=quantity(one.quantity_before),
        quantity_after=quantity(one.quantity_after),
        unit=one.unit,
    )


def quantity(value: Decimal | None) -> Decimal | None:
    """A quantity as people read it: whole from a million on, else about six digits."""
    if value is None or value == 0:
        return value if value is None else ZERO
    places = max(0, _QUANTITY_DIGITS - 1 - max(value.adjusted(), -_QUANTITY_DIGITS))
    rounded = round_half_even(value, Decimal(1).scaleb(-places))
    return rounded.quantize(Decimal(1)) if rounded == rounded.to_integral_value() else rounded.normalize()


def _summary(
    currency: str,
    change: Decimal,
    exact: Decimal,
    was: Decimal,
    compared_with: str,
    contributions: Sequence[Contribution],
    drivers: dict[Driver, Decimal],
    names_tenants: bool,
) -> str:
    if not contributions:
        return f"Cost is the same as in {compared_with}."
    share = percent(exact, was)
    percents = f" ({share:+.1f} %)" if share is not None else ""
    moved = f"rose by {change} {currency}" if change > 0 else f"fell by {-change} {currency}"
    if change == 0:
        moved, percents = "is the same in sum", ""
    driver = max(drivers, key=lambda name: (abs(drivers[name]), name))
    told = f"Cost {moved} against {compared_with}{percents}. The biggest driver is {_WORDS[driver]}"
    told += f" ({round_half_even(drivers[driver]):+f} {currency})"
    if driver is Driver.DAYS:
        return told + "."
    first = next(one for one in contributions if one.driver is driver and (one.change > 0) is (drivers[driver] > 0))
    whose = f" of {first.cell.tenant}" if names_tenants else ""
    return f"{told}, first of all {first.cell.service}{whose}."
