"""One tenant's bill of one month: every line of every term, rounded once, and the sum of what stands there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from typing import Literal

from tenantscope_core.results.periods import Month

from tenantscope_pricing.book import (
    FEE,
    MINIMUM,
    ZERO,
    Book,
    Contract,
    Discount,
    Flat,
    Meter,
    Model,
    Percentage,
    Price,
    Rounding,
    Tiered,
)
from tenantscope_pricing.charging import Charge, charge, scaled
from tenantscope_pricing.credits import CreditUse, consume
from tenantscope_pricing.segments import QUANTUM, Quantities, Segment, segments

RATING_FORMAT = 1
"""Raise it when the same book and use come to give other amounts, which is to be avoided: old invoices must replay."""
_DIGITS = 60
_MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}

Kind = Literal["fee", "usage", "flat", "percentage", "minimum", "purchase"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill. `amount` is in whole minor units, after `discount`.

    `of` is the name by which credits and percentages know it: the line that a minimum tops up, else its own.
    """

    name: str
    of: str
    kind: Kind
    plan: str
    segment: int
    amount: Decimal
    discount: Decimal = ZERO
    meter: str | None = None
    charge: Charge | None = None
    capped: bool = False


@dataclass(frozen=True, slots=True)
class Bill:
    """A month's bill. `subtotal` is the sum of the lines, `total` what is left of it after credits.

    `balances` is what is left of each credit, for the month after.
    """

    month: Month
    currency: str
    segments: tuple[Segment, ...]
    lines: tuple[Line, ...]
    credits: tuple[CreditUse, ...]
    balances: Mapping[str, Decimal]

    @property
    def subtotal(self) -> Decimal:
        """Before credits."""
        return sum((line.amount for line in self.lines), ZERO)

    @property
    def total(self) -> Decimal:
        """After credits; never below zero."""
        return self.subtotal - sum((one.applied for one in self.credits), ZERO)


def rate(
    book: Book,
    contract: Contract,
    month: Month,
    used: Sequence[Quantities],
    balances: Mapping[str, Decimal] | None = None,
) -> Bill:
    """The bill of a month.

    In this order: each line by its price model, its maximum, rounding, discount, its minimum; the plan's minimum; then
    credits. Nothing after rounding makes a fraction of a minor unit, so lines sum to the bill exactly.

    Args:
        book: The price book.
        contract: The tenant's contract.
        month: The month.
        used: What was used in each of the contract's segments of the month, in their order.
        balances: What earlier months left of each credit; a credit that is not named is whole.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        parts = segments(book, contract, month)
        lines: list[Line] = []
        for number, (part, quantities) in enumerate(zip(parts, used, strict=True)):
            lines += _Rater(book, part, quantities, number).lines()
        if parts:
            lines += [
                Line(f"purchase {one.name}", "", "purchase", parts[-1].plan.id, len(parts) - 1, one.price)
                for one in contract.credits
                if one.granted == month and one.price
            ]
        payable = [(line.of, line.amount) for line in lines if line.kind != "purchase"]
        uses, left = consume(payable, contract.credits, month, balances or {})
        return Bill(month, book.currency, parts, tuple(lines), uses, left)


def metered(book: Book, contract: Contract, month: Month) -> list[Meter]:
    """The meters that a month's lines are of."""
    lines = [price for part in segments(book, contract, month) for price in part.plan.prices]
    return list(dict.fromkeys(book.meters[price.meter] for price in lines if price.meter is not None))


def replay(book: Book, contract: Contract, used: Mapping[Month, Sequence[Quantities]]) -> dict[Month, Bill]:
    """Bills month after month, in order, each with the credits that those before it left."""
    bills: dict[Month, Bill] = {}
    balances: Mapping[str, Decimal] = {}
    for month in sorted(used):
        bills[month] = rate(book, contract, month, used[month], balances)
        balances = bills[month].balances
    return bills


class _Rater:
    """The lines of one segment."""

    def __init__(self, book: Book, segment: Segment, used: Quantities, number: int) -> None:
        self._book = book
        self._segment = segment
        self._used = used
        self._number = number
        self._minor = book.minor_unit
        self._amounts: dict[str, Decimal] = {}

    def lines(self) -> list[Line]:
        plan = self._segment.plan
        made = self._priced(Price(FEE, Flat(plan.fee)), "fee") if plan.fee else []
        self._amounts.setdefault(FEE, ZERO)
        for price in plan.prices:
            made += self._priced(price, _kind(price.model))
        missing = self._part(plan.minimum) - sum((line.amount for line in made), ZERO)
        return [*made, self._minimum(MINIMUM, MINIMUM, missing)] if missing > 0 else made

    def _priced(self, price: Price, kind: Kind) -> list[Line]:
        charged = self._charge(price)
        most = charged.amount if price.maximum is None else self._part(price.maximum)
        gross = rounded(min(charged.amount, most), self._minor, self._book.rounding)
        discount = _discount(self._segment.term.discount, price.line, gross, self._minor, self._book.rounding)
        amount = self._amounts[price.line] = gross - discount
        line = Line(
            price.line,
            price.line,
            kind,
            self._segment.plan.id,
            self._number,
            amount,
            discount,
            price.meter,
            charged,
            capped=charged.amount > most,
        )
        missing = self._part(price.minimum) - amount
        return [line, self._minimum(f"{price.line} minimum", price.line, missing)] if missing > 0 else [line]

    def _charge(self, price: Price) -> Charge:
        part, model = self._segment, price.model
        if isinstance(model, Flat):
            return charge(Flat(self._part(model.amount)), ZERO)
        if isinstance(model, Percentage) and model.of:
            return charge(model, sum((self._amounts[line] for line in model.of), ZERO))
        quantity = max(self._used.get(price.meter or "", ZERO), ZERO)
        if price.meter is not None and self._book.meters[price.meter].aggregate == "max":
            quantity = part.held(quantity)
        if isinstance(model, Tiered) and not part.is_whole:
            ends = [None if tier.up_to is None else part.part_of(tier.up_to, QUANTUM) for tier in model.tiers]
            model = scaled(model, ends, [self._part(tier.fee) for tier in model.tiers])
        return charge(model, quantity, part.part_of(price.included, QUANTUM))

    def _part(self, amount: Decimal) -> Decimal:
        return self._segment.part_of(amount, self._minor)

    def _minimum(self, name: str, of: str, missing: Decimal) -> Line:
        return Line(name, of, "minimum", self._segment.plan.id, self._number, missing)


def rounded(amount: Decimal, unit: Decimal, rounding: Rounding) -> Decimal:
    """An amount in whole minor units; halves go away from zero, or to the even one, as the book says."""
    return amount.quantize(unit, rounding=_MODES[rounding])


def _discount(discount: Discount | None, line: str, gross: Decimal, unit: Decimal, rounding: Rounding) -> Decimal:
    if discount is None or (discount.lines and line not in discount.lines):
        return ZERO
    return rounded(gross * discount.percent / 100, unit, rounding)


def _kind(model: Model) -> Kind:
    match model:
        case Flat():
            return "flat"
        case Percentage():
            return "percentage"
        case _:
            return "usage"
