"""Credits: which pay first, for what, and what is left of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tenantscope_core.results.periods import Month

from tenantscope_pricing.book import Credit

_NEVER = Month(9999, 12)


@dataclass(frozen=True, slots=True)
class CreditUse:
    """What a credit paid of a month's bill; `before` - `applied` = `after`."""

    credit: Credit
    applied: Decimal
    before: Decimal

    @property
    def after(self) -> Decimal:
        """What is left of it."""
        return self.before - self.applied


def in_order(credits: Sequence[Credit]) -> list[Credit]:
    """Credits in the order in which they pay.

    Lower priority first, then what expires sooner, what was given before what was bought, the older, the name.
    """
    return sorted(
        credits,
        key=lambda one: (one.priority, one.expires or _NEVER, one.price > 0, one.granted, one.name),
    )


def is_good_in(credit: Credit, month: Month) -> bool:
    """Whether it may pay the bill of a month."""
    return credit.granted <= month <= (credit.expires or _NEVER)


def consume(
    payable: Sequence[tuple[str, Decimal]], credits: Sequence[Credit], month: Month, balances: Mapping[str, Decimal]
) -> tuple[tuple[CreditUse, ...], dict[str, Decimal]]:
    """Pay lines (name and amount, in the order of the bill) with credits, each line at most once whole.

    Returns what each credit that is good in the month paid, and what is left of every credit. None pays more than it
    has, and no line is paid more than it is.
    """
    open_amounts = [amount for _, amount in payable]
    left = {one.name: balances.get(one.name, one.amount) for one in credits}
    uses: list[CreditUse] = []
    for credit in in_order([one for one in credits if is_good_in(one, month)]):
        before = left[credit.name]
        for position, (name, _) in enumerate(payable):
            if not credit.lines or name in credit.lines:
                paid = min(left[credit.name], open_amounts[position])
                left[credit.name] -= paid
                open_amounts[position] -= paid
        uses.append(CreditUse(credit, before - left[credit.name], before))
    return tuple(uses), left


def first_month(credits: Sequence[Credit], month: Month) -> Month:
    """The month from which bills have to be replayed to know what credits are left in this one.

    That is where the oldest credit begins that is good now, or was good together with one that is, and so on.
    """
    first = month
    while True:
        touching = [one.granted for one in credits if one.granted <= month and first <= (one.expires or _NEVER)]
        earlier = min([*touching, first])
        if earlier == first:
            return first
        first = earlier
