"""What has to be said beside margins: months that were not over, tenants whose money is in several currencies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from tenantscope_core.results.periods import Month

from tenantscope_cost_explorer.cents import ZERO
from tenantscope_cost_explorer.margins.lines import MarginSum


@dataclass(slots=True)
class FleetMargins:
    """The margins of one currency, exact."""

    tenants: list[MarginSum] = field(default_factory=list[MarginSum])
    residual: Decimal = ZERO

    @property
    def revenue(self) -> Decimal:
        """What all paid."""
        return sum((one.revenue for one in self.tenants), ZERO)

    @property
    def cost(self) -> Decimal:
        """What all were allocated."""
        return sum((one.cost for one in self.tenants), ZERO)

    @property
    def money(self) -> Decimal:
        """How much of this currency goes back and forth."""
        return sum((abs(one.revenue) + abs(one.cost) for one in self.tenants), abs(self.residual))


def elsewhere(fleets: Mapping[str, FleetMargins], currency: str) -> dict[str, list[str]]:
    """The tenants of a currency that have revenue or cost in others too, with these."""
    here = {one.tenant for one in fleets[currency].tenants}
    found: dict[str, list[str]] = {}
    for name, fleet in sorted(fleets.items()):
        for one in fleet.tenants:
            if name != currency and one.tenant in here:
                found.setdefault(one.tenant, []).append(name)
    return found


def through(made: Mapping[Month, date]) -> date | None:
    """The last day of the newest month, None where it was not over on the day on which its margins were made."""
    newest = max(made)
    return newest.shift(1).first_day - timedelta(days=1) if _was_over(newest, made[newest]) else None


def caveats(made: Mapping[Month, date], currency: str, several: int) -> list[str]:
    """Sentences for an answer in a currency; `made` says when each month was, `several` how many tenants have more."""
    said = [
        f"{month} was made on {day}, before it ended: a part of the month."
        for month, day in sorted(made.items())
        if not _was_over(month, day)
    ]
    if several:
        said.append(
            f"Tenants with revenue or cost in several currencies: {several:,}. Nothing is converted, so their margin "
            f"in {currency} is not all of it."
        )
    return said


def _was_over(month: Month, day: date) -> bool:
    return day >= month.shift(1).first_day
