"""Writing datasets: a month is committed by its manifests, tenants first and the fleet last."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.identity.caller import is_tenant_id
from tenantscope_core.results.errors import Conflict
from tenantscope_core.stores import layout
from tenantscope_core.stores.aws import AwsCaller, require_owner
from tenantscope_core.stores.datasets import fetch_manifest
from tenantscope_core.stores.departures import Departures
from tenantscope_core.stores.manifests import Commit, Manifest, ObjectRef, describe
from tenantscope_core.stores.task_failures import first_of

_CONCURRENT = 16
_ATTEMPTS = 5
_MAX_PAGES = 10_000
_LOST_RACE = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict"})


@dataclass(frozen=True, slots=True)
class Part:
    """A local Parquet file to commit, and its row count."""

    path: Path
    rows: int


class DatasetWriter:
    """Commits months of datasets with the fleet's credentials.

    S3 has no transaction over several objects, so the promise is: each manifest replaces a month whole, a tenant's
    reader sees the old month or the new one and never a mixture, the fleet's reader sees the old one until every tenant
    has the new one, and a run that dies is simply run again. Objects of old runs stay for their readers until `sweep`.

    With `departures`, no write is made for a tenant that leaves or has left, not even if it does meanwhile. Without, it
    is for whoever writes to give only tenants that stay.
    """

    def __init__(
        self, aws: AwsCaller, bucket: str, *, clock: Callable[[], datetime], departures: Departures | None = None
    ) -> None:
        require_owner(aws, None)
        self._aws = aws
        self._bucket = bucket
        self._clock = clock
        self._departures = departures

    async def commit(
        self,
        dataset: str,
        month: str,
        *,
        run: str,
        inputs: str,
        tenants: Mapping[str, Part],
        fleet: Part,
        force: bool = False,
    ) -> bool:
        """Make these files the month's content; False where the month already has it (`inputs` is the same).

        A tenant that had rows in this month and has none now is committed with none; one that has left is let be, and
        the fleet keeps its rows. `run` has to be new for each attempt.

        Raises:
            Conflict: Somebody else keeps committing to the same manifest.
            ToolFailure: AWS refused or failed, or the registry does not tell who has left; run it again.
        """
        try:
            manifest, _ = await fetch_manifest(self._aws, self._bucket, dataset, None)
            known = manifest.months.get(month)
            if known is not None and known.inputs == inputs and not force:
                return False
            written = self._clock()
            objects: dict[str | None, ObjectRef] = {}

            async def upload(tenant: str | None, part: Part) -> None:
                if await self._has_left(tenant):
                    return
                objects[tenant] = await self._upload(layout.object_key(dataset, tenant, month, run), part)

            async def publish(tenant: str | None) -> None:
                refs = (objects[tenant],) if tenant in objects else ()
                await self._publish(dataset, tenant, month, Commit(run, refs, written, inputs))

            await _each([lambda t=t, p=p: upload(t, p) for t, p in {**tenants, None: fleet}.items()])
            gone = await self._with_month(dataset, month, except_for=tenants)
            await _each([lambda t=t: publish(t) for t in [*tenants, *gone]])
            await publish(None)
        except AwsError as error:
            raise error.as_failure() from error
        return True

    async def sweep(self, dataset: str, *, unused_for: timedelta = timedelta(days=1)) -> int:
        """Delete objects that no manifest names and that are older than any reader's manifest; returns how many.

        `unused_for` has to exceed the longest commit, and the time for which readers use a stale manifest. What a
        tenant that leaves has is left to its erasure: a deletion, too, puts something there where versions are kept.
        """
        oldest = self._clock() - unused_for
        deleted = 0
        try:
            for tenant in [*await self._tenants(dataset), None]:
                manifest, _ = await fetch_manifest(self._aws, self._bucket, dataset, tenant)
                named = {ref.key for commit in manifest.months.values() for ref in commit.objects}
                named.add(layout.manifest_key(dataset, tenant))
                async for page in self._pages(Prefix=layout.prefix(dataset, tenant)):
                    for item in page.get("Contents", []):
                        if item["Key"] not in named and item["LastModified"] < oldest:
                            if await self._has_left(tenant):
                                break
                            await self._aws.call("s3", "delete_object", Bucket=self._bucket, Key=item["Key"])
                            deleted += 1
        except AwsError as error:
            raise error.as_failure() from error
        return deleted

    async def _upload(self, key: str, part: Part) -> ObjectRef:
        content = await anyio.Path(part.path).read_bytes()
        answer = await self._aws.call("s3", "put_object", Bucket=self._bucket, Key=key, Body=content)
        return ObjectRef(key, len(content), str(answer["ETag"]).strip('"'), part.rows)

    async def _publish(self, dataset: str, tenant: str | None, month: str, commit: Commit) -> None:
        key = layout.manifest_key(dataset, tenant)
        for _ in range(_ATTEMPTS):
            manifest, etag = await fetch_manifest(self._aws, self._bucket, dataset, tenant)
            if await self._has_left(tenant):
                return
            condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
            body = manifest.with_month(month, commit).to_json()
            try:
                await self._aws.call("s3", "put_object", Bucket=self._bucket, Key=key, Body=body, **condition)
            except AwsError as error:
                if error.code in _LOST_RACE:
                    continue
                raise
            return
        raise Conflict(f"Other runs keep committing to {describe(dataset, tenant)}; run this one again.")

    async def _has_left(self, tenant: str | None) -> bool:
        return tenant is not None and self._departures is not None and await self._departures.has_left(tenant)

    async def _with_month(self, dataset: str, month: str, *, except_for: Collection[str]) -> list[str]:
        found: list[str] = []

        async def look(tenant: str) -> None:
            manifest: Manifest
            manifest, _ = await fetch_manifest(self._aws, self._bucket, dataset, tenant)
            if month in manifest.months:
                found.append(tenant)

        others = [tenant for tenant in await self._tenants(dataset) if tenant not in except_for]
        await _each([lambda t=t: look(t) for t in others])
        return sorted(found)

    async def _tenants(self, dataset: str) -> list[str]:
        folder = layout.prefix(dataset, "x").removesuffix("x/")
        return [
            tenant
            async for page in self._pages(Prefix=folder, Delimiter="/")
            for entry in page.get("CommonPrefixes", [])
            if is_tenant_id(tenant := entry["Prefix"].removeprefix(folder).removesuffix("/"))
        ]

    async def _pages(self, **parameters: str) -> AsyncIterator[dict[str, Any]]:
        for _ in range(_MAX_PAGES):
            page = await self._aws.call("s3", "list_objects_v2", Bucket=self._bucket, **parameters)
            yield page
            if not page.get("IsTruncated"):
                return
            parameters["ContinuationToken"] = page["NextContinuationToken"]


async def _each(works: "Collection[Callable[[], Any]]") -> None:
    slots = anyio.CapacityLimiter(_CONCURRENT)

    async def run(work: Callable[[], Any]) -> None:
        async with slots:
            await work()

    try:
        async with anyio.create_task_group() as group:
            for work in works:
                group.start_soon(run, work)
    except ExceptionGroup as failures:
        raise first_of(failures) from None
