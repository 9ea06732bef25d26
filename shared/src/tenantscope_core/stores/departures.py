"""Which tenants are leaving or have left, by the registry: jobs write no dataset of theirs again."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import anyio

from tenantscope_core.credentials.errors import UNREACHABLE_RETRY_SECONDS, AwsError, Fault
from tenantscope_core.results.errors import DataFault, NotPermitted, NotSetUp, ToolFailure, Unavailable
from tenantscope_core.results.statuses import ACTIVE_STATUSES, SWITCHES, spellings_of
from tenantscope_core.stores.aws import AwsCaller, require_owner
from tenantscope_core.stores.task_failures import first_of

FRESH_FOR = timedelta(seconds=30)
"""How long a job goes by what it has read. With what one write may take it stays below the 90 s that
TENANTSCOPE_QUIET_SECONDS is by default: what was written before the job knew is there to be erased."""
INDEX = "byStatus"
NO_REGISTRY = "TENANTSCOPE_TENANTS_TABLE is not set: the data of tenants that have left is written too"
_QUERIES_AT_ONCE = 8
_MAX_PAGES = 10_000
_LEAVING = tuple(word for status in ("offboarding", "offboarded", "inactive") for word in spellings_of(status))
_STAYING = tuple(word for status in sorted(ACTIVE_STATUSES) for word in spellings_of(status))
_IS_OFF = " OR ".join(f"(attribute_exists(#{n}) AND #{n} <> :on)" for n in range(len(SWITCHES)))
_SO_NOTHING = "so it is not known which tenants have left, and nothing is written that could bring one back"


class Departures:
    """Tenants whose status says that they leave or have left, or whom the Toolkit's soft delete has switched off.

    Asked of the registry's index of statuses with the fleet's session: a record without a status is not found there.
    Suspended tenants stay. Without a registry (`table` is None) nobody is known to have left, which is said once.
    """

    def __init__(
        self, aws: AwsCaller, table: str | None, *, clock: Callable[[], datetime], say: Callable[[str], None]
    ) -> None:
        require_owner(aws, None)
        self._aws = aws
        self._table = table
        self._clock = clock
        self._say = say
        self._said = False
        self._left: frozenset[str] = frozenset()
        self._switched_off: frozenset[str] = frozenset()
        self._read_at: datetime | None = None
        self._lock = anyio.Lock()

    async def read(self) -> frozenset[str]:
        """Ask the registry now: whose copies are not to be written.

        It reads an entry of the index for each tenant that is active or has left, with nothing but its id sent back.

        Raises:
            ToolFailure: The registry does not tell, and nothing may be written.
        """
        async with self._lock:
            if self._table is None:
                if not self._said:
                    self._said = True
                    self._say(NO_REGISTRY)
                return self._left
            self._switched_off = await self._found(self._table, _STAYING, switched_off=True)
            return await self._refresh(self._table)

    async def has_left(self, tenant: str) -> bool:
        """Whether nothing is to be written for a tenant, as of less than half a minute ago.

        What is asked again meanwhile are statuses alone.

        Raises:
            ToolFailure: The registry does not tell, and nothing may be written.
        """
        async with self._lock:
            if self._table is not None and not self._is_fresh():
                await self._refresh(self._table)
        return tenant in self._left

    def _is_fresh(self) -> bool:
        return self._read_at is not None and timedelta(0) <= self._clock() - self._read_at < FRESH_FOR

    async def _refresh(self, table: str) -> frozenset[str]:
        asked = self._clock()
        self._left = await self._found(table, _LEAVING) | self._switched_off
        self._read_at = asked
        return self._left

    async def _found(self, table: str, words: Sequence[str], *, switched_off: bool = False) -> frozenset[str]:
        found: set[str] = set()
        slots = anyio.CapacityLimiter(_QUERIES_AT_ONCE)

        async def ask(word: str) -> None:
            async with slots:
                found.update(await self._of_status(table, word, switched_off=switched_off))

        try:
            async with anyio.create_task_group() as tasks:
                for word in words:
                    tasks.start_soon(ask, word)
        except* (AwsError, ToolFailure) as failures:
            failure = first_of(failures)
            raise (_does_not_tell(failure) if isinstance(failure, AwsError) else failure) from None
        return frozenset(found)

    async def _of_status(self, table: str, word: str, *, switched_off: bool) -> list[str]:
        names, values = {"#s": "tenantStatus"}, {":s": {"S": word}}
        more: dict[str, Any] = {}
        if switched_off:
            names |= {f"#{number}": name for number, name in enumerate(SWITCHES)}
            more, values = {"FilterExpression": _IS_OFF}, {**values, ":on": {"BOOL": True}}
        found: list[str] = []
        for _ in range(_MAX_PAGES):
            page = await self._aws.call(
                "dynamodb", "query", TableName=table, IndexName=INDEX, KeyConditionExpression="#s = :s",
                ExpressionAttributeNames=names, ExpressionAttributeValues=values, ProjectionExpression="tenantId",
                **more,
            )  # fmt: skip
            found += [item["tenantId"]["S"] for item in page.get("Items", [])]
            if not page.get("LastEvaluatedKey"):
                return found
            more["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        raise DataFault(f"The tenant registry does not come to an end, {_SO_NOTHING}.")


def _does_not_tell(error: AwsError) -> ToolFailure:
    if error.fault is Fault.DENIED:
        return NotPermitted(
            f"The provider role may not query the tenant registry's index {INDEX}, {_SO_NOTHING}; whoever operates the "
            "server has to grant it."
        )
    if error.retryable or error.fault is Fault.EXPIRED:
        sentence = f"The tenant registry does not answer, {_SO_NOTHING}; run it again."
        return Unavailable(sentence, retry_after_seconds=error.retry_after_seconds or UNREACHABLE_RETRY_SECONDS)
    return NotSetUp(f"The tenant registry cannot be asked by an index {INDEX}, {_SO_NOTHING}.")
