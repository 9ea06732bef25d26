"""Reading datasets: the manifest of a tenant or of the fleet, cached briefly and checked on the way in."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias
from weakref import WeakValueDictionary

import anyio

from tenantscope_core.credentials.errors import AwsError, Fault
from tenantscope_core.results.errors import NotPermitted
from tenantscope_core.stores import layout
from tenantscope_core.stores.aws import AwsCaller, require_owner
from tenantscope_core.stores.manifests import Manifest, parse_manifest

NOT_MODIFIED = frozenset({"304", "NotModified"})

_Key: TypeAlias = tuple[str | None, str, str | None]


@dataclass(frozen=True, slots=True)
class Committed:
    """A manifest as last seen; `stale_since` is when it was last known to be current, None while it is."""

    manifest: Manifest
    stale_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    manifest: Manifest
    etag: str | None
    checked: datetime


class DatasetReader:
    """The manifests of one bucket, kept for `ttl` and re-read by ETag.

    While S3 is down or slow a manifest stays usable until `stale_for` after it was last current, and the reader says
    since when. Whatever else goes wrong (a refusal above all) is never papered over by what is cached. Entries belong
    to the owner of the credentials that fetched them.
    """

    def __init__(
        self,
        bucket: str,
        *,
        clock: Callable[[], datetime],
        ttl: timedelta = timedelta(seconds=30),
        stale_for: timedelta = timedelta(hours=6),
        max_entries: int = 20_000,
    ) -> None:
        self.bucket = bucket
        self._clock = clock
        self._ttl = ttl
        self._stale_for = stale_for
        self._max_entries = max_entries
        self._seen: OrderedDict[_Key, _Seen] = OrderedDict()
        self._flights: WeakValueDictionary[_Key, anyio.Lock] = WeakValueDictionary()

    async def committed(self, aws: AwsCaller, dataset: str, tenant: str | None) -> Committed:
        """What is committed of a dataset for one tenant, or (None) for the fleet; an empty manifest where nothing is.

        Raises:
            OtherTenant: The credentials are another tenant's.
            DataFault: The manifest is damaged.
            Unavailable: S3 does not answer and nothing recent enough is known.
            ToolFailure: AWS refused.
        """
        require_owner(aws, tenant)
        key = (aws.tenant, dataset, tenant)
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = anyio.Lock()
        async with flight:
            seen = self._seen.get(key)
            if seen is not None and self._clock() - seen.checked < self._ttl:
                self._seen.move_to_end(key)
                return Committed(seen.manifest)
            try:
                fresh = await self._fetch(aws, dataset, tenant, seen)
            except AwsError as error:
                if error.retryable and seen is not None and self._clock() - seen.checked <= self._stale_for:
                    return Committed(seen.manifest, stale_since=seen.checked)
                if not error.retryable:
                    self._seen.pop(key, None)
                if error.fault is Fault.DENIED:
                    # Without the right to list, S3 answers for an object that is missing as for one that is forbidden.
                    raise NotPermitted(
                        f"Either nothing of {dataset} is committed here yet, or the caller's role may not read it; "
                        "AWS tells the two apart for nobody. Whoever operates the server can."
                    ) from error
                raise error.as_failure() from error
            self._seen[key] = fresh
            self._seen.move_to_end(key)
            while len(self._seen) > self._max_entries:
                self._seen.popitem(last=False)
            return Committed(fresh.manifest)

    def forget(self, dataset: str, tenant: str | None) -> None:
        """Read this manifest anew next time, whoever asks: something it names is gone."""
        for key in [key for key in self._seen if key[1:] == (dataset, tenant)]:
            del self._seen[key]

    async def _fetch(self, aws: AwsCaller, dataset: str, tenant: str | None, seen: _Seen | None) -> _Seen:
        now = self._clock()
        condition = {"IfNoneMatch": seen.etag} if seen is not None and seen.etag else {}
        try:
            manifest, etag = await fetch_manifest(aws, self.bucket, dataset, tenant, **condition)
        except AwsError as error:
            if seen is not None and error.code in NOT_MODIFIED:
                return replace(seen, checked=now)
            raise
        return _Seen(manifest, etag, now)


async def fetch_manifest(
    aws: AwsCaller, bucket: str, dataset: str, tenant: str | None, **condition: str
) -> tuple[Manifest, str | None]:
    """The manifest as stored now with its ETag; an empty one and None where there is none.

    Raises:
        AwsError: S3 refused or failed; `304` where the condition says that nothing changed.
        DataFault: The manifest is damaged.
    """
    key = layout.manifest_key(dataset, tenant)
    try:
        answer = await aws.call("s3", "get_object", Bucket=bucket, Key=key, **condition)
    except AwsError as error:
        if error.code == "NoSuchKey":
            return Manifest(dataset, tenant), None
        raise
    return parse_manifest(answer["Body"], dataset, tenant), str(answer["ETag"])
