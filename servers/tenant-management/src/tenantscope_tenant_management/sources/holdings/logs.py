"""A tenant's own log groups in CloudWatch Logs: `/tenantscope/tenants/<tenant>/…`."""

import json
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any
from urllib.parse import quote

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import Unavailable
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.holdings import Export, Exported, Held
from tenantscope_tenant_management.sources.holdings.export_folder import ExportFolder
from tenantscope_tenant_management.sources.holdings.holding import (
    Allowance,
    Clock,
    left_behind,
    require_session_of,
)
from tenantscope_tenant_management.sources.holdings.line_files import PART_BYTES, LineFiles

_MOST_PAGES = 100_000


class Logs:
    """See `Holding`. CloudWatch tells the bytes of a group some time after they were written."""

    name = "logs"

    def __init__(self, *, clock: Clock = time.monotonic, part_bytes: int = PART_BYTES) -> None:
        self._clock = clock
        self._part_bytes = part_bytes

    async def prepare(self, aws: AwsCaller, tenant: str) -> str | None:
        """See `Holding.prepare`; an empty group is none of a former tenant's."""
        async for group in _groups(aws, tenant):
            first = await aws.call("logs", "filter_log_events", logGroupName=group["logGroupName"], limit=1)
            if group.get("storedBytes") or first.get("events"):
                raise left_behind("Log records")
        return None

    async def unprepare(self, aws: AwsCaller, tenant: str) -> None:
        """See `Holding.unprepare`."""
        require_session_of(aws, tenant)

    async def held(self, aws: AwsCaller, tenant: str) -> Held:
        """See `Holding.held`; parts are log groups, by what follows the tenant in their names."""
        groups = [group async for group in _groups(aws, tenant)]
        parts = {_short(group["logGroupName"], tenant): 1 for group in groups}
        return Held(self.name, parts, sum(int(group.get("storedBytes", 0)) for group in groups))

    async def export(self, aws: AwsCaller, tenant: str, folder: ExportFolder, *, seconds: float) -> Export:
        """See `Holding.export`: gzipped lines of JSON, a record each in order of time.

        It goes on after the time of the last record of the last file; records of one time are all in one file.
        """
        allowance = Allowance(seconds, self._clock)
        files: list[Exported] = []
        async for group in _groups(aws, tenant):
            name = group["logGroupName"]
            parts = await LineFiles.opened(folder, f"{self.name}/{quote(_short(name, tenant), safe='')}/")
            start = 0 if parts.last is None else int(json.loads(parts.last)["timestamp"]) + 1
            async for records in self._parts(aws, name, start):
                await parts.add([_line(one) for one in records])
                if allowance.is_spent:
                    return Export([*files, *parts.files], done=False)
            files += parts.files
        return Export(files, done=True)

    async def erase(self, aws: AwsCaller, tenant: str, *, seconds: float) -> bool:
        """See `Holding.erase`."""
        allowance = Allowance(seconds, self._clock)
        for group in [group["logGroupName"] async for group in _groups(aws, tenant)]:
            try:
                await aws.call("logs", "delete_log_group", logGroupName=group)
            except AwsError as error:
                if error.code != "ResourceNotFoundException":
                    raise
            if allowance.is_spent:
                return False
        return not (await self.held(aws, tenant)).count

    async def kept(self, aws: AwsCaller, tenant: str) -> Sequence[str]:
        """See `Holding.kept`."""
        require_session_of(aws, tenant)
        return (
            "Log groups that all tenants share, this server's own among them, mix their records; those end with the "
            "group's retention.",
            "CloudTrail keeps who acted with the tenant's sessions, as long as the company keeps its trail.",
        )

    async def _parts(self, aws: AwsCaller, group: str, start: int) -> AsyncGenerator[list[dict[str, Any]]]:
        """Records from a time on (milliseconds), in parts that end between two times."""
        waiting: list[dict[str, Any]] = []
        size = 0
        async for page in _pages(aws, group, start):
            waiting += page
            size += _size(page)
            whole = [one for one in waiting if one["timestamp"] < waiting[-1]["timestamp"]]
            if size >= self._part_bytes and whole:
                waiting = waiting[len(whole) :]
                size = _size(waiting)
                yield whole
        if waiting:
            yield waiting


async def _groups(aws: AwsCaller, tenant: str) -> AsyncGenerator[dict[str, Any]]:
    require_session_of(aws, tenant)
    prefix = f"/tenantscope/tenants/{tenant}/"
    question: dict[str, Any] = {"logGroupNamePrefix": prefix}
    for _ in range(_MOST_PAGES):
        page = await aws.call("logs", "describe_log_groups", **question)
        for group in page.get("logGroups", []):
            if group["logGroupName"].startswith(prefix):
                yield group
        if not page.get("nextToken"):
            return
        question["nextToken"] = page["nextToken"]


async def _pages(aws: AwsCaller, group: str, start: int) -> AsyncGenerator[list[dict[str, Any]]]:
    question: dict[str, Any] = {"logGroupName": group, "startTime": start}
    for _ in range(_MOST_PAGES):
        page = await aws.call("logs", "filter_log_events", **question)
        events: list[dict[str, Any]] = page.get("events", [])
        if events:
            yield events
        if not page.get("nextToken"):
            return
        question["nextToken"] = page["nextToken"]
    raise Unavailable("A log group has more records than one export reads; call this again.")


def _short(group: str, tenant: str) -> str:
    return group.removeprefix(f"/tenantscope/tenants/{tenant}/")


def _line(record: dict[str, Any]) -> str:
    names = {"timestamp": "timestamp", "logStreamName": "stream", "message": "message"}
    told = {ours: record[theirs] for theirs, ours in names.items() if theirs in record}
    return json.dumps(told, ensure_ascii=False)


def _size(records: Sequence[dict[str, Any]]) -> int:
    return sum(len(one["message"].encode()) for one in records)
