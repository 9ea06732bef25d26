"""Why cost moved between two periods: each cell's change taken apart into drivers that sum to it exactly.

Price, volume and mix are those of variance analysis in cost accounting (Horngren, Datar and Rajan, "Cost Accounting",
chapter 14: price, sales-quantity and sales-mix variances). For a tenant's cells of one service and unit that are
measured in both periods, with costs c0 and c1, quantities q0 and q1, unit prices p = c / q, their old average price
P = sum(c0) / sum(q0), and r = days now / days before:

    days        c0 (r - 1)           the same use on more or fewer days
    volume      (q1 - r q0) P        more or less use, at the old average price
    mix         (q1 - r q0) (p0 - P) use that moved to cells dearer or cheaper than the average
    unit_price  q1 (p1 - p0)         what a unit costs

which add up to c1 - c0. Summed over a service and unit they are the textbook's; dealt to cells in this form, a cell
that did not change has no part in any of them, and the fleet's drivers are the sums of its tenants'. Quantities of
different units are never added up. `unit_price` includes a shift between SKUs that share a unit within one cell: cells
are not that fine.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from enum import StrEnum

ZERO = Decimal(0)
_EXACT = Decimal(1).scaleb(-18)  # products are cut here, and what is cut goes to the next driver of the same cell
_DUST = Decimal(1).scaleb(-12)  # less than the last digit of a cost is no driver, but what division leaves
_DIGITS = 90
_PER_MONTH = re.compile(r"(?:^|[\s-])mo(?:nth)?s?$", re.IGNORECASE)


class Driver(StrEnum):
    """What can move cost."""

    DAYS = "days"
    VOLUME = "volume"
    UNIT_PRICE = "unit_price"
    MIX = "mix"
    NEW = "new"
    GONE = "gone"
    ONE_OFF = "one_off"
    UNMEASURED = "unmeasured"


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """Whose cost of what. `kind` tells apart cells that stand for many tenants."""

    tenant: str
    service: str
    feature: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Costs and quantities of a cell in one unit, or (None) of charges without a quantity."""

    cell: Cell
    unit: str | None
    one_off: bool = False
    before: Decimal = ZERO
    after: Decimal = ZERO
    quantity_before: Decimal = ZERO
    quantity_after: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one driver did to one cell; quantities only where they explain something."""

    cell: Cell
    driver: Driver
    change: Decimal
    before: Decimal
    after: Decimal
    unit: str | None = None
    quantity_before: Decimal | None = None
    quantity_after: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Lengths:
    """Days in each period; `by_month` where both are as many whole months, so that what is priced by the month is."""

    before: int
    after: int
    by_month: bool = False

    def ratio(self, unit: str) -> tuple[int, int]:
        """Days now and before, as far as they matter to this unit."""
        if self.before == self.after or (self.by_month and _PER_MONTH.search(unit)):
            return 1, 1
        return self.after, self.before


def explain(amounts: Iterable[Amounts], lengths: Lengths) -> list[Contribution]:
    """The contributions, none of them zero, of amounts in one currency; they sum to after - before exactly."""
    with localcontext() as context:
        context.prec = _DIGITS
        cells, one_offs = _gathered(amounts)
        found = [_whole(Driver.ONE_OFF, cell, one.before, one.after) for cell, one in one_offs.items()]
        measured: dict[tuple[str, str, str, str], list[Amounts]] = defaultdict(list)
        for units in cells.values():
            for one in units:
                if _is_measured(one) and any(each.before for each in units) and any(each.after for each in units):
                    measured[one.cell.tenant, one.cell.kind, one.cell.service, one.unit or ""].append(one)
            found += _unpaired(units)
        for (*_, unit), alike in measured.items():
            found += _priced(alike, *lengths.ratio(unit))
        return sorted(
            (one for one in found if one.change != 0),
            key=lambda one: (-abs(one.change), one.cell, one.driver, one.unit or ""),
        )


def by_driver(contributions: Iterable[Contribution]) -> dict[Driver, Decimal]:
    """The change by driver, in the order of `Driver`."""
    sums: dict[Driver, Decimal] = defaultdict(Decimal)
    with localcontext() as context:
        context.prec = _DIGITS
        for one in contributions:
            sums[one.driver] += one.change
    return {driver: sums[driver] for driver in Driver if driver in sums}


def _gathered(amounts: Iterable[Amounts]) -> tuple[Mapping[Cell, list[Amounts]], Mapping[Cell, Amounts]]:
    """Amounts added up by cell and unit, and apart from them what happens once, by cell."""
    sums: dict[tuple[Cell, str | None, bool], list[Decimal]] = {}
    for one in amounts:
        of_unit = sums.setdefault((one.cell, None if one.one_off else one.unit, one.one_off), [ZERO] * 4)
        for place, value in enumerate((one.before, one.after, one.quantity_before, one.quantity_after)):
            of_unit[place] += value
    cells: dict[Cell, list[Amounts]] = defaultdict(list)
    one_offs: dict[Cell, Amounts] = {}
    for (cell, unit, one_off), values in sums.items():
        added = Amounts(cell, unit, one_off, *values)
        if one_off:
            one_offs[cell] = added
        else:
            cells[cell].append(added)
    return cells, one_offs


def _is_measured(one: Amounts) -> bool:
    return one.unit is not None and one.quantity_before > 0 and one.quantity_after > 0


def _unpaired(units: Sequence[Amounts]) -> Iterator[Contribution]:
    """What a cell has without a quantity in both periods: new, gone, or nothing that a quantity could explain.

    A cell that is measured in one period only did not begin or end: its charges lost or gained their quantities.
    """
    had, has = any(one.before for one in units), any(one.after for one in units)
    rest = [one for one in units if not (had and has and _is_measured(one))]
    ended, begun = [one for one in rest if not one.after], [one for one in rest if not one.before]
    renamed = had and has and ended and begun and any(one.unit is None for one in (*ended, *begun))
    for one in rest:
        if (one.before and one.after) or renamed:
            yield _whole(Driver.UNMEASURED, one.cell, one.before, one.after)
        else:
            yield _with_quantity(Driver.NEW if one.after else Driver.GONE, one, one.after - one.before)


def _priced(alike: Sequence[Amounts], now: int, then: int) -> Iterator[Contribution]:
    """Days, volume, mix and unit price of cells with one service and unit."""
    average = sum((one.before for one in alike), ZERO) / sum((one.quantity_before for one in alike), ZERO)
    for one in alike:
        price = one.before / one.quantity_before
        days = _cut(one.before * (now - then) / then)
        more = one.quantity_after - one.quantity_before * now / then
        volume = _cut(more * average)
        at_old_price = _cut(one.quantity_after * price)
        parts = {
            Driver.DAYS: days,
            Driver.VOLUME: volume,
            Driver.MIX: at_old_price - one.before - days - volume,
            Driver.UNIT_PRICE: one.after - at_old_price,
        }
        dust = [driver for driver, change in parts.items() if abs(change) < _DUST]
        largest = max(parts, key=lambda driver: abs(parts[driver]))
        for driver in dust:
            if driver is not largest:
                parts[largest] += parts.pop(driver)
        for driver, change in parts.items():
            yield _with_quantity(driver, one, change)


def _cut(value: Decimal) -> Decimal:
    return value.quantize(_EXACT)


def _whole(driver: Driver, cell: Cell, before: Decimal, after: Decimal) -> Contribution:
    return Contribution(cell, driver, after - before, before, after)


def _with_quantity(driver: Driver, one: Amounts, change: Decimal) -> Contribution:
    if one.unit is None:
        return Contribution(one.cell, driver, change, one.before, one.after)
    return Contribution(
        one.cell, driver, change, one.before, one.after, one.unit, one.quantity_before, one.quantity_after
    )
