"""Which tier each tenant is on, by the registry."""

from collections.abc import Mapping
from typing import Any

import anyio
from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import DataFault
from tenantscope_core.results.statuses import KNOWN_STATUSES, spellings_of
from tenantscope_core.stores.aws import AwsCaller, require_owner
from tenantscope_core.stores.departures import INDEX
from tenantscope_core.stores.task_failures import first_of

_QUERIES_AT_ONCE = 8
_MAX_PAGES = 10_000


async def registry_tiers(aws: AwsCaller, table: str | None) -> Mapping[str, str]:
    """The tier of every tenant that has one, asked of the index of statuses that every rollup asks, never by a Scan.

    None is known where there is no registry (`table` is None).

    Raises:
        ToolFailure: The registry does not answer, or refuses.
    """
    require_owner(aws, None)
    found: dict[str, str] = {}
    if table is None:
        return found
    slots = anyio.CapacityLimiter(_QUERIES_AT_ONCE)

    async def ask(word: str) -> None:
        async with slots:
            found.update(await _of_status(aws, table, word))

    try:
        async with anyio.create_task_group() as tasks:
            for status in sorted(KNOWN_STATUSES):
                for word in spellings_of(status):
                    tasks.start_soon(ask, word)
    except* (AwsError, DataFault) as failures:
        failure = first_of(failures)
        raise (failure.as_failure() if isinstance(failure, AwsError) else failure) from None
    return found


async def _of_status(aws: AwsCaller, table: str, word: str) -> dict[str, str]:
    found: dict[str, str] = {}
    more: dict[str, Any] = {}
    for _ in range(_MAX_PAGES):
        page = await aws.call(
            "dynamodb", "query", TableName=table, IndexName=INDEX, KeyConditionExpression="#s = :s",
            ExpressionAttributeNames={"#s": "tenantStatus", "#t": "tier"},
            ExpressionAttributeValues={":s": {"S": word}}, ProjectionExpression="tenantId, #t", **more,
        )  # fmt: skip
        for item in page.get("Items", []):
            if tier := item.get("tier", {}).get("S"):
                found[item["tenantId"]["S"]] = tier
        if not page.get("LastEvaluatedKey"):
            return found
        more["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    raise DataFault("The tenant registry does not come to an end, so no tenant's tier is known; run this again.")
