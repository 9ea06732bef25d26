"""Since when somebody loses money, and what it takes to break even."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tenantscope_core.results.periods import Month

from tenantscope_cost_explorer.cents import ZERO

GOOD_MONTHS_WITHIN = 1
RULE = (
    "A loss lasts since the first of a row of losing months that reaches to the newest losing month of the period; "
    "one month without a loss within the row does not end it, a second does."
)


@dataclass(frozen=True, slots=True)
class LosingRun:
    """A row of losing months.

    `from_the_first` says that it begins with the first month of which anything is known, so it may be older. `total` is
    the margin of all its months, the good one among them too.
    """

    since: Month
    last: Month
    months: int
    total: Decimal
    from_the_first: bool


def losing_run(margins: Mapping[Month, Decimal], *, known: Collection[Month], last: Month) -> LosingRun | None:
    """The row of losing months up to `last`, by `RULE`; None where no month up to then lost anything.

    `margins` has the months in which there was revenue or cost, `known` all that are committed. A month that is known
    and has neither lost nothing. A month that is not known ends the row: nothing can be said across it.
    """
    lost = [month for month, margin in margins.items() if margin < 0 and month <= last and month in known]
    if not lost:
        return None
    newest = since = max(lost)
    months, good, month = 0, 0, newest
    while month in known:
        if margins.get(month, ZERO) < 0:
            since, months = month, months + 1
        elif good == GOOD_MONTHS_WITHIN:
            break
        else:
            good += 1
        month = month.shift(-1)
    within = (margin for one, margin in margins.items() if since <= one <= newest and one in known)
    return LosingRun(since, newest, months, sum(within, ZERO), since.shift(-1) not in known)


def revenue_up_percent(revenue: Decimal, cost: Decimal) -> float | None:
    """By how many per cent revenue has to rise to pay for the cost; None where it is nothing, or too little to say."""
    if revenue <= 0 or cost <= revenue:
        return None
    return round(float((cost - revenue) / revenue * 100), 1)


def cost_down_percent(revenue: Decimal, cost: Decimal) -> float | None:
    """By how many per cent the cost has to fall to be paid for; None where none would do or none has to."""
    if cost <= revenue or revenue < 0 or cost <= 0:
        return None
    return round(float((cost - revenue) / cost * 100), 1)
