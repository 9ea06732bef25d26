"""A tenant's objects in the datasets bucket: those of its datasets and of its queries, in every version."""

import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import anyio
from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import Conflict, DataFault, ToolFailure, Unavailable
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.task_failures import first_of

from tenantscope_tenant_management.holdings import Export, Exported, Held
from tenantscope_tenant_management.sources.holdings.export_folder import (
    MAX_COPY_BYTES,
    OF_A_TENANT,
    ExportFolder,
    Version,
    version_pages,
)
from tenantscope_tenant_management.sources.holdings.holding import (
    Allowance,
    Clock,
    left_behind,
    require_session_of,
)

DATASETS = "datasets/"
REGISTRATION = "registration"
QUERY_RESULTS = "athena-results"
COPIES_AT_ONCE = 16
_PASSING = frozenset({"InternalError", "SlowDown", "ServiceUnavailable", "OperationAborted"})
_GONE = frozenset({"NoSuchKey", "NoSuchVersion"})


class Objects:
    """See `Holding`. Names of parts are those of datasets; older versions and delete markers count as well."""

    name = "objects"

    def __init__(self, bucket: str, *, clock: Clock = time.monotonic) -> None:
        self._bucket = bucket
        self._clock = clock

    async def prepare(self, aws: AwsCaller, tenant: str) -> str | None:
        """See `Holding.prepare`; the marker shows that the tenant's prefix opens with its credentials."""
        require_session_of(aws, tenant)
        marker = _marker(tenant)
        there = False
        async for page in self._versions(aws, tenant):
            if any(one.key != marker for one in page):
                raise left_behind("Objects")
            there = there or any(one.is_latest and not one.is_marker for one in page)
        if not there:
            body = json.dumps({"format": 1, "tenant_id": tenant}).encode()
            await aws.call("s3", "put_object", Bucket=self._bucket, Key=marker, Body=body)
        return "The tenant's place among the datasets is open: a marker was written there with its credentials."

    async def unprepare(self, aws: AwsCaller, tenant: str) -> None:
        """See `Holding.unprepare`."""
        require_session_of(aws, tenant)
        async for page in version_pages(aws, self._bucket, _marker(tenant)):
            await self._delete(aws, page)

    async def held(self, aws: AwsCaller, tenant: str) -> Held:
        """See `Holding.held`."""
        require_session_of(aws, tenant)
        parts: dict[str, int] = {}
        size = 0
        async for page in self._versions(aws, tenant):
            for one in page:
                part = _part(one.key, tenant)
                parts[part] = parts.get(part, 0) + 1
                size += one.size or 0
        return Held(self.name, parts, size)

    async def export(self, aws: AwsCaller, tenant: str, folder: ExportFolder, *, seconds: float) -> Export:
        """See `Holding.export`: the current objects of all datasets, copied within S3.

        Results of queries are left out: they were made from the datasets.
        """
        require_session_of(aws, tenant)
        allowance = Allowance(seconds, self._clock)
        there = await folder.listed(f"{self.name}/")
        wanted = {_copy_name(one, tenant): one async for one in self._current(aws, tenant)}
        missing = [name for name, one in wanted.items() if not _is_copy(there.get(name), one)]
        for start in range(0, len(missing), COPIES_AT_ONCE):
            if start and allowance.is_spent:
                return Export((), done=False)
            await _copy_at_once(folder, {name: wanted[name] for name in missing[start : start + COPIES_AT_ONCE]})
        if missing:
            there = await folder.listed(f"{self.name}/")
        files = [Exported(name, one.size or 0, f"etag:{one.etag}") for name, one in sorted(there.items())]
        return Export(files, done=all(_is_copy(there.get(name), one) for name, one in wanted.items()))

    async def erase(self, aws: AwsCaller, tenant: str, *, seconds: float) -> bool:
        """See `Holding.erase`."""
        require_session_of(aws, tenant)
        allowance = Allowance(seconds, self._clock)
        for folder in await self._folders(aws, tenant):
            while page := await anext(version_pages(aws, self._bucket, folder), None):
                await self._delete(aws, page)
                if allowance.is_spent:
                    return False
        return not (await self.held(aws, tenant)).count

    async def kept(self, aws: AwsCaller, tenant: str) -> Sequence[str]:
        """See `Holding.kept`."""
        require_session_of(aws, tenant)
        return (
            "The fleet's copies of the datasets keep this tenant's rows: the company's own books rest on them.",
            "Raw bills and access logs mix all tenants and stay until they end by the company's own rules. Jobs that "
            "make datasets from them leave out whoever this registry says has left.",
            "An export stays in its folder until the bucket's lifecycle rule ends it, 30 days after it was written.",
            "Copies of the bucket made elsewhere, by replication or backup, end by their own rules.",
        )

    async def _folders(self, aws: AwsCaller, tenant: str) -> list[str]:
        """Where the tenant's objects can be, also where only older versions are left of any tenant's."""
        answer = await aws.call(
            "s3", "list_object_versions", Bucket=self._bucket, Prefix=DATASETS, Delimiter=OF_A_TENANT
        )
        if answer.get("IsTruncated"):
            raise DataFault("There are more than 1,000 datasets; this server cannot tell all that a tenant holds.")
        folders: list[str] = [group["Prefix"] for group in answer.get("CommonPrefixes", [])]
        alone: list[str] = [one["Key"] for kind in ("Versions", "DeleteMarkers") for one in answer.get(kind, [])]
        if any(OF_A_TENANT in key for key in alone) or not all(one.endswith(OF_A_TENANT) for one in folders):
            raise DataFault("The object store does not group keys as asked, so nothing is told of what a tenant holds.")
        return [f"{folder}{tenant}/" for folder in (*folders, f"{QUERY_RESULTS}{OF_A_TENANT}")]

    async def _versions(self, aws: AwsCaller, tenant: str) -> AsyncGenerator[list[Version]]:
        for folder in await self._folders(aws, tenant):
            async for page in version_pages(aws, self._bucket, folder):
                yield page

    async def _current(self, aws: AwsCaller, tenant: str) -> AsyncGenerator[Version]:
        async for page in self._versions(aws, tenant):
            for one in page:
                if one.is_latest and not one.is_marker and _part(one.key, tenant) not in (REGISTRATION, QUERY_RESULTS):
                    yield one

    async def _delete(self, aws: AwsCaller, versions: Sequence[Version]) -> None:
        """Delete up to 1,000 versions for good.

        Raises:
            Conflict: S3 keeps some of them.
            Unavailable: S3 had trouble with all of them.
        """
        named = [{"Key": one.key, "VersionId": one.version_id} for one in versions]
        answer = await aws.call("s3", "delete_objects", Bucket=self._bucket, Delete={"Objects": named, "Quiet": True})
        errors: list[dict[str, Any]] = answer.get("Errors", [])
        if any(error.get("Code") not in _PASSING for error in errors):
            raise Conflict(
                "Some objects of this tenant cannot be deleted: an object lock or a rule of the bucket keeps them. "
                "Whoever operates the server has to release them."
            )
        if len(errors) == len(named):
            raise Unavailable("The object store deletes nothing at this moment; try again shortly.")


async def _copy_at_once(folder: ExportFolder, sources: Mapping[str, Version]) -> None:
    try:
        async with anyio.create_task_group() as tasks:
            for name, source in sources.items():
                tasks.start_soon(_copy, folder, name, source)
    except* (AwsError, ToolFailure) as failures:
        raise first_of(failures) from None


async def _copy(folder: ExportFolder, name: str, source: Version) -> None:
    if (source.size or 0) > MAX_COPY_BYTES:
        raise DataFault("An object of this tenant is larger than 5 GB, and cannot be exported in one piece.")
    try:
        await folder.copy(name, source)
    except AwsError as error:
        if error.code not in _GONE:  # replaced in the meantime: the next listing tells
            raise


def _marker(tenant: str) -> str:
    return f"{DATASETS}{REGISTRATION}/tenant_id={tenant}/tenant.json"


def _part(key: str, tenant: str) -> str:
    """The dataset of a key, or what else it belongs to."""
    folder = key.partition(f"/tenant_id={tenant}/")[0]
    return folder.removeprefix(DATASETS)


def _copy_name(source: Version, tenant: str) -> str:
    rest = source.key.partition(f"/tenant_id={tenant}/")[2]
    return f"objects/{_part(source.key, tenant)}/{rest}"


def _is_copy(there: Version | None, source: Version) -> bool:
    """Whether a file is the copy of an object; what was uploaded in parts has another ETag once it is copied."""
    if there is None or there.size != source.size:
        return False
    return "-" in source.etag or there.etag == source.etag
