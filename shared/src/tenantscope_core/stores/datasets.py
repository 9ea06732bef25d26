"""Reading datasets: the manifest of a tenant or of the fleet, cached briefly and checked on the way in."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias
from weakref import WeakValueDictionary

import anyio

from tenantscope_core.credentials.errors import AwsError, Fault
from tenantscope_core.results.errors import NotPermitted, ToolFailure
from tenantscope_core.stores import layout
from tenantscope_core.stores.aws import AwsCaller, require_owner
from tenantscope_core.stores.manifests import Manifest, parse_manifest

NOT_MODIFIED = frozenset({"304", "NotModified"})

KNOWN_WAITS_SECONDS = 2.0  # an S3 that is slower than this is as good as down where a manifest is known
ASK_AGAIN_AFTER = timedelta(seconds=5)  # between attempts while it is down

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
    ask_again: datetime
    stale: bool = False

    @property
    def committed(self) -> Committed:
        return Committed(self.manifest, self.checked if self.stale else None)


class _Flight:
    """One who asks S3 for a manifest, and those who wait for it."""

    def __init__(self) -> None:
        self.lock = anyio.Lock()
        self.failures = 0
        self.failure: Exception | None = None


class DatasetReader:
    """The manifests of one bucket, kept for `ttl` and re-read by ETag.

    While S3 is down or slow a manifest stays usable until `stale_for` after it was last current, and the reader says
    since when; one call asks S3 again every few seconds. Whatever else goes wrong (a refusal above all) is never
    papered over by what is cached. Entries belong to the owner of the credentials that fetched them.
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
        self._flights: WeakValueDictionary[_Key, _Flight] = WeakValueDictionary()

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
            flight = self._flights[key] = _Flight()
        failures = flight.failures
        async with flight.lock:
            seen = self._seen.get(key)
            if seen is not None and self._clock() < seen.ask_again:
                self._seen.move_to_end(key)
                return seen.committed
            if flight.failure is not None and flight.failures > failures:
                raise flight.failure  # while this call waited: asking again would take as long again
            try:
                return await self._ask(aws, key, seen)
            except ToolFailure as failure:
                flight.failure, flight.failures = failure, flight.failures + 1
                raise

    async def _ask(self, aws: AwsCaller, key: _Key, seen: _Seen | None) -> Committed:
        _, dataset, tenant = key
        usable = seen is not None and self._clock() - seen.checked <= self._stale_for
        try:
            with anyio.fail_after(KNOWN_WAITS_SECONDS if usable else None):
                found = await self._fetch(aws, dataset, tenant, seen)
        except (AwsError, TimeoutError) as raised:
            error = raised if isinstance(raised, AwsError) else AwsError("Timeout", "get_object", Fault.UNREACHABLE)
            if not (error.retryable and usable and seen is not None):
                if not error.retryable:
                    self._seen.pop(key, None)
                raise _failure(error, dataset) from error
            found = replace(seen, ask_again=self._clock() + ASK_AGAIN_AFTER, stale=True)
        self._seen[key] = found
        self._seen.move_to_end(key)
        while len(self._seen) > self._max_entries:
            self._seen.popitem(last=False)
        return found.committed

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
                return replace(seen, checked=now, ask_again=now + self._ttl, stale=False)
            raise
        return _Seen(manifest, etag, now, now + self._ttl)


def _failure(error: AwsError, dataset: str) -> ToolFailure:
    if error.fault is not Fault.DENIED:
        return error.as_failure()
    # Without the right to list, S3 answers for an object that is missing as for one that is forbidden.
    return NotPermitted(
        f"Either nothing of {dataset} is committed here yet, or the caller's role may not read it; "
        "AWS tells the two apart for nobody. Whoever operates the server can."
    )


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
