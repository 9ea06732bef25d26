"""The one place that asks Cost Explorer: within a budget, each question once, narrowed by the session that asks."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import DataFault, InvalidArgument, NotSetUp, ToolFailure, Unavailable
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_cost_explorer.sources.explorer.budget import Budget
from tenantscope_cost_explorer.sources.explorer.failures import failure_of
from tenantscope_cost_explorer.sources.explorer.kept import Kept, KeptAnswers, Key, kept_until
from tenantscope_cost_explorer.tagged import PRICE, Metric, Question, TaggedCost, Tags, Unreadable, costs_of, request_of

WAIT_SECONDS = 45.0
"""The longest wait for one question, however many pages its answer has."""


@dataclass(frozen=True, slots=True)
class Views:
    """The billing views to ask; with `required`, a tenant that has none of its own is refused."""

    default: str | None = None
    of_tenants: Mapping[str, str] = field(default_factory=dict[str, str])
    required: bool = False

    def of(self, tenant: str | None) -> str | None:
        """The view of a tenant, or (None) of the fleet; None being the account's own.

        Raises:
            NotSetUp: The tenant has to have one.
        """
        if tenant is None or not self.required:
            return self.default
        if tenant not in self.of_tenants:
            raise NotSetUp(
                "Costs are read through a billing view for each tenant, and this tenant has none yet; whoever operates "
                "the server has to make one and name it in the file of TENANTSCOPE_BILLING_VIEWS."
            )
        return self.of_tenants[tenant]


@dataclass(slots=True)
class Use:
    """What one call made of the API."""

    requests: int = 0
    kept_since: datetime | None = None

    @property
    def cost_usd(self) -> Decimal:
        """What AWS charges for it."""
        return self.requests * PRICE


class _Flight:
    """One who asks, and those who wait for the same."""

    def __init__(self) -> None:
        self.lock = anyio.Lock()
        self.failures = 0
        self.failure: ToolFailure | None = None


class CostExplorerApi:
    """Answers questions about one tenant, which is the session's, or with the fleet's session about all.

    An answer is kept for the one whose session asked, and for nobody else. Two who ask the same at once ask once.
    """

    def __init__(
        self,
        tags: Tags,
        metric: Metric,
        views: Views,
        *,
        budget_usd: Decimal,
        most_requests: int,
        clock: Callable[[], datetime],
    ) -> None:
        self.tags = tags
        self.metric: Metric = metric
        self._views = views
        self._most_requests = most_requests
        self._clock = clock
        self._budget = Budget(budget_usd, clock=clock)
        self._kept = KeptAnswers(clock=clock)
        self._flights: WeakValueDictionary[Key, _Flight] = WeakValueDictionary()

    async def ask(self, aws: AwsCaller, question: Question, use: Use) -> Kept:
        """The whole answer; what it took is added to `use`.

        Raises:
            RateLimited: The day's budget is spent.
            InvalidArgument: The answer has more pages than one question may cost, or AWS does not keep the period.
            NotSetUp: The tenant has no billing view and has to have one.
            DataFault: The answer is not to the question.
            ToolFailure: AWS refused, limits or does not answer.
        """
        tenant = aws.tenant
        request = request_of(question, self.tags, self.metric, tenant=tenant, view=self._views.of(tenant))
        key = (tenant, json.dumps(request, sort_keys=True))
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
        failures = flight.failures
        async with flight.lock:
            kept = self._kept.get(key)
            if kept is not None:
                use.kept_since = min(use.kept_since or kept.asked, kept.asked)
                return kept
            if flight.failure is not None and flight.failures > failures:
                raise flight.failure  # while this call waited: to ask again would cost as much again
            try:
                return await self._asked(aws, question, request, key, use)
            except ToolFailure as failure:
                flight.failure, flight.failures = failure, flight.failures + 1
                raise

    async def _asked(self, aws: AwsCaller, question: Question, request: Mapping[str, Any], key: Key, use: Use) -> Kept:
        asked = self._clock()
        try:
            with anyio.fail_after(WAIT_SECONDS):
                costs = await self._pages(aws, question, request, use)
        except TimeoutError:
            raise Unavailable("AWS Cost Explorer took too long; ask for a shorter period, or try again.") from None
        except AwsError as error:
            raise failure_of(error) from error
        except Unreadable as error:
            raise DataFault(f"AWS Cost Explorer's answer cannot be used: {error}. Nothing of it is shown.") from None
        answer = Kept(tuple(costs), asked, kept_until(asked, question.end))
        self._kept.put(key, answer)
        return answer

    async def _pages(
        self, aws: AwsCaller, question: Question, request: Mapping[str, Any], use: Use
    ) -> list[TaggedCost]:
        costs: list[TaggedCost] = []
        position: dict[str, str] = {}
        for _ in range(self._most_requests):
            self._budget.take(aws.tenant)
            use.requests += 1
            page = await aws.call("ce", "get_cost_and_usage", **request, **position)
            read = partial(costs_of, page, question, self.tags, self.metric, tenant=aws.tenant)
            costs += await anyio.to_thread.run_sync(read)
            if not page.get("NextPageToken"):
                return costs
            position = {"NextPageToken": str(page["NextPageToken"])}
        raise InvalidArgument(
            f"The answer takes more than the {self._most_requests} paid requests that one question may cost; ask for a "
            "shorter period. Whoever operates the server can set TENANTSCOPE_COST_API_REQUESTS higher.",
            parameter="period",
        )
