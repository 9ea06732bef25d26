"""A bounded local cache of S3 objects, one folder per owner of the credentials that fetched them."""

import contextlib
import hashlib
import os
import secrets
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import anyio

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import InvalidArgument, Unavailable
from tenantscope_core.stores import layout
from tenantscope_core.stores.aws import AwsCaller, OtherTenant
from tenantscope_core.stores.local_folder import own_folder
from tenantscope_core.stores.manifests import ObjectRef
from tenantscope_core.stores.task_failures import first_of

_MAX_DOWNLOADS = 8
_RANGE_BYTES = 32 << 20
_GONE = frozenset({"NoSuchKey", "PreconditionFailed", "412", "InvalidRange"})


class ObjectChanged(Exception):
    """An object is not, or no longer, the one that the manifest names."""

    def __init__(self, ref: ObjectRef) -> None:
        super().__init__(f"{ref.key} is not what its manifest says")
        self.ref = ref


class ObjectCache:
    """Objects kept on disk under `root` up to `max_bytes`, the least recently used given up first.

    A file is named by bucket, key and ETag, and lies in the folder of the tenant whose credentials fetched it: no
    tenant ever reads what another's session brought, and what changed in S3 is another file. Files appear whole (kept
    aside until size and ETag are checked) and survive a restart. Processes with the same root have a folder in it each.
    """

    def __init__(self, root: Path, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._folder, self._lock = own_folder(root)
        self._sizes: OrderedDict[Path, int] = OrderedDict()
        self._pins: Counter[Path] = Counter()
        self._reserved = 0
        self._flights: WeakValueDictionary[Path, anyio.Lock] = WeakValueDictionary()
        self._downloads = anyio.CapacityLimiter(_MAX_DOWNLOADS)
        self._recall()

    @property
    def held_bytes(self) -> int:
        """Bytes on disk, downloads under way included."""
        return sum(self._sizes.values()) + self._reserved

    def close(self) -> None:
        """Leave the folder to the next process; files stay."""
        os.close(self._lock)

    @contextlib.asynccontextmanager
    async def pinned(self, aws: AwsCaller, bucket: str, refs: Sequence[ObjectRef]) -> AsyncGenerator[dict[str, Path]]:
        """Local files of these objects by key, none of them given up until the block ends.

        Raises:
            OtherTenant: A key lies outside the prefixes of the credentials' tenant.
            ObjectChanged: S3 has no object of that key, ETag and size.
            InvalidArgument: They are more than the cache can ever hold.
            Unavailable: S3 does not answer, or others are using too much of the cache.
            ToolFailure: AWS refused.
        """
        for ref in refs:
            require_own_key(aws.tenant, ref.key)
        files = {ref.key: self._path(aws.tenant, bucket, ref) for ref in refs}
        if sum(ref.size for ref in refs) > self._max_bytes:
            raise InvalidArgument("That is more data than one question may read here; ask for fewer months.")
        self._pins.update(files.values())
        try:
            await self._ensure_all(aws, bucket, refs, files)
            yield files
        finally:
            self._pins.subtract(files.values())
            self._pins += Counter()

    def discard(self, path: Path) -> None:
        """Give up a file that proved unreadable."""
        if self._sizes.pop(path, None) is not None:
            path.unlink(missing_ok=True)

    def _path(self, tenant: str | None, bucket: str, ref: ObjectRef) -> Path:
        owner = "fleet" if tenant is None else f"tenant={tenant}"
        name = hashlib.sha256("\0".join((bucket, ref.key, ref.etag)).encode()).hexdigest()
        return self._folder / owner / f"{name}.parquet"

    async def _ensure_all(
        self, aws: AwsCaller, bucket: str, refs: Sequence[ObjectRef], files: Mapping[str, Path]
    ) -> None:
        try:
            async with anyio.create_task_group() as group:
                for ref in refs:
                    group.start_soon(self._ensure, aws, bucket, ref, files[ref.key])
        except ExceptionGroup as failures:
            raise first_of(failures) from None

    async def _ensure(self, aws: AwsCaller, bucket: str, ref: ObjectRef, path: Path) -> None:
        flight = self._flights.get(path)
        if flight is None:
            flight = self._flights[path] = anyio.Lock()
        async with flight:
            if self._sizes.get(path) == ref.size and path.exists():
                self._sizes.move_to_end(path)
                return
            self.discard(path)
            async with self._downloads:
                self._make_room(ref.size)
                self._reserved += ref.size
                try:
                    await _download(aws, bucket, ref, path)
                    self._sizes[path] = ref.size
                finally:
                    self._reserved -= ref.size

    def _make_room(self, size: int) -> None:
        for path in list(self._sizes):
            if self.held_bytes + size <= self._max_bytes:
                return
            if not self._pins[path]:
                self.discard(path)
        if self.held_bytes + size > self._max_bytes:
            raise Unavailable("Too much data is being queried at once; try again shortly.", retry_after_seconds=2.0)

    def _recall(self) -> None:
        for path in self._folder.rglob("*.partial"):
            path.unlink()
        found = [(path.stat(), path) for path in self._folder.rglob("*.parquet")]
        for status, path in sorted(found, key=lambda item: item[0].st_mtime):
            self._sizes[path] = status.st_size
        self._make_room(0)


def require_own_key(tenant: str | None, key: str) -> None:
    """Refuse a key outside `datasets/<dataset>/tenant_id=<tenant>/`; the fleet's credentials may name any.

    Raises:
        OtherTenant: It is outside.
    """
    if tenant is None:
        return
    parts = key.split("/", 3)
    if len(parts) < 4 or not key.startswith(layout.prefix(parts[1], tenant)):
        raise OtherTenant


async def _download(aws: AwsCaller, bucket: str, ref: ObjectRef, path: Path) -> None:
    partial = path.with_name(f"{path.stem}.{secrets.token_hex(4)}.partial")
    await anyio.Path(path.parent).mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.md5(usedforsecurity=False)
    size = 0
    answer: dict[str, Any] = {}
    try:
        async with await anyio.open_file(partial, "xb") as file:
            for start in range(0, max(ref.size, 1), _RANGE_BYTES):
                answer = await _get(aws, bucket, ref, start)
                size += len(answer["Body"])
                digest.update(answer["Body"])
                if size > ref.size:
                    break
                await file.write(answer["Body"])
        if size != ref.size or not _is_content(answer, ref, digest.hexdigest()):
            raise ObjectChanged(ref)
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


async def _get(aws: AwsCaller, bucket: str, ref: ObjectRef, start: int) -> dict[str, Any]:
    part = {"Range": f"bytes={start}-{start + _RANGE_BYTES - 1}"} if ref.size > _RANGE_BYTES else {}
    try:
        return await aws.call("s3", "get_object", Bucket=bucket, Key=ref.key, IfMatch=f'"{ref.etag}"', **part)
    except AwsError as error:
        if error.code in _GONE:
            raise ObjectChanged(ref) from error
        raise error.as_failure() from error


def _is_content(answer: dict[str, Any], ref: ObjectRef, md5: str) -> bool:
    if str(answer.get("ETag", "")).strip('"') != ref.etag:
        return False
    digest_is_etag = "-" not in ref.etag and not str(answer.get("ServerSideEncryption", "")).startswith("aws:kms")
    return md5 == ref.etag or not digest_is_etag
