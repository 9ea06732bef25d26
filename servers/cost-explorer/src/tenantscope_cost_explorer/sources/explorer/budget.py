"""What a process may spend a day on requests that AWS charges for."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from tenantscope_core.results.errors import RateLimited

from tenantscope_cost_explorer.tagged import PRICE

MOST_OF_ONE = 5
"""One tenant's callers get at most a fifth of a day's requests, so that one cannot use up everybody's."""


class Budget:
    """Counts requests by UTC day; `usd` is what all of them may cost. Counted is what is asked, however it ends."""

    def __init__(self, usd: Decimal, *, clock: Callable[[], datetime]) -> None:
        self._most = int(usd / PRICE)
        self._clock = clock
        self._day: date | None = None
        self._asked: dict[str | None, int] = {}

    def take(self, tenant: str | None) -> None:
        """Count one request for a tenant, or (None) for the fleet.

        Raises:
            RateLimited: It would be one too many today.
        """
        now = self._clock().astimezone(UTC)
        if now.date() != self._day:
            self._day, self._asked = now.date(), {}
        if sum(self._asked.values()) >= self._most:
            raise _spent("this server's budget for requests to AWS Cost Explorer is spent", now)
        own = self._asked.get(tenant, 0)
        if tenant is not None and own >= max(self._most // MOST_OF_ONE, 1):
            raise _spent("this tenant's part of the budget for requests to AWS Cost Explorer is spent", now)
        self._asked[tenant] = own + 1


def _spent(what: str, now: datetime) -> RateLimited:
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    return RateLimited(
        f"For today {what}, each of which costs {PRICE} USD; what was answered lately is still answered. It begins "
        "anew at midnight UTC; whoever operates the server can set TENANTSCOPE_COST_API_BUDGET_USD higher.",
        retry_after_seconds=(midnight - now).total_seconds(),
    )
