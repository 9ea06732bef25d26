"""Raw inputs of a rollup as objects: below an S3 prefix, or files of this machine."""

import contextlib
import hashlib
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import anyio
import anyio.to_thread

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import InvalidArgument, Unavailable
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.manifests import ObjectRef
from tenantscope_core.stores.object_cache import ObjectCache, ObjectChanged

MAX_PAGES = 1_000
_S3_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.*)")


@dataclass(frozen=True, slots=True)
class RawObject:
    """One object as it is now; `modified` is when it was written, in seconds since 1970."""

    name: str
    size: int
    etag: str
    modified: float = 0.0


class RawObjects(Protocol):
    """Where a rollup's raw input lies."""

    async def objects(self) -> list[RawObject]:
        """Every object that is wanted, in order of name; without empty ones, unless those were asked for.

        Raises:
            ToolFailure: They cannot be listed.
        """
        ...

    def files(self, objects: Sequence[RawObject]) -> AbstractAsyncContextManager[Mapping[str, Path]]:
        """Local files of these objects by name, there until the block ends.

        Raises:
            ToolFailure: They cannot be read.
        """
        ...


Wanted = Callable[[str], bool]
"""Whether an object of that name belongs to the input."""


def open_raw(url: str, aws: AwsCaller, folder: Path, *, what: str, wanted: Wanted, empty: bool = False) -> RawObjects:
    """The input at `s3://bucket/prefix`, or at a path of this machine; `folder` is for copies, `what` names it.

    Objects of no bytes are left out, unless `empty`.

    Raises:
        InvalidArgument: It is neither.
    """
    if match := _S3_URL.fullmatch(url):
        return S3Objects(aws, match[1], match[2], folder, what=what, wanted=wanted, empty=empty)
    path = Path(url.removeprefix("file://"))
    if not path.exists():
        raise InvalidArgument(
            f"There is no {what} at {url}; it is an s3:// URL, or a file or folder of this machine.",
        )
    return FolderObjects(path, wanted=wanted, empty=empty)


class S3Objects:
    """The objects below a prefix, read with the provider's session."""

    def __init__(
        self,
        aws: AwsCaller,
        bucket: str,
        prefix: str,
        folder: Path,
        *,
        what: str,
        wanted: Wanted,
        empty: bool = False,
    ) -> None:
        self._aws = aws
        self._bucket = bucket
        self._prefix = prefix
        self._folder = folder
        self._what = what
        self._wanted = wanted
        self._empty = empty

    async def objects(self) -> list[RawObject]:
        """See `RawObjects.objects`."""
        found: list[RawObject] = []
        try:
            async for item in self._listed():
                name = str(item["Key"])
                if self._wanted(name) and (item["Size"] or self._empty):
                    etag, modified = str(item["ETag"]).strip('"'), item["LastModified"].timestamp()
                    found.append(RawObject(name, int(item["Size"]), etag, modified))
        except AwsError as error:
            raise error.as_failure() from error
        return sorted(found, key=lambda one: one.name)

    async def _listed(self) -> AsyncGenerator[dict[str, Any]]:
        question = {"Bucket": self._bucket, "Prefix": self._prefix}
        for _ in range(MAX_PAGES):
            page = await self._aws.call("s3", "list_objects_v2", **question)
            for item in page.get("Contents", []):
                yield item
            if not page.get("IsTruncated"):
                return
            question["ContinuationToken"] = page["NextContinuationToken"]
        raise InvalidArgument(f"The {self._what} has more than {MAX_PAGES * 1_000:,} objects; name a longer prefix.")

    @contextlib.asynccontextmanager
    async def files(self, objects: Sequence[RawObject]) -> AsyncGenerator[Mapping[str, Path]]:
        """Local copies, deleted when the block ends."""
        cache = ObjectCache(self._folder, max_bytes=sum(one.size for one in objects))
        refs = [ObjectRef(one.name, one.size, one.etag, 0) for one in objects]
        try:
            async with cache.pinned(self._aws, self._bucket, refs) as paths:
                yield paths
                for path in paths.values():
                    cache.discard(path)
        except ObjectChanged as changed:
            raise Unavailable(
                f"The {self._what}'s file {changed.ref.key} changed while it was read; run this again."
            ) from changed
        finally:
            cache.close()


class FolderObjects:
    """A file, or the files below a folder."""

    def __init__(self, path: Path, *, wanted: Wanted, empty: bool = False) -> None:
        self._path = path
        self._root = path.parent if path.is_file() else path
        self._wanted = wanted
        self._empty = empty

    async def objects(self) -> list[RawObject]:
        """See `RawObjects.objects`."""
        return await anyio.to_thread.run_sync(self._look)

    @contextlib.asynccontextmanager
    async def files(self, objects: Sequence[RawObject]) -> AsyncGenerator[Mapping[str, Path]]:
        """The files themselves."""
        yield {one.name: self._root / one.name for one in objects}

    def _look(self) -> list[RawObject]:
        paths = [self._path] if self._path.is_file() else sorted(self._path.rglob("*"))
        found: list[RawObject] = []
        for path in paths:
            if not path.is_file() or not self._wanted(path.name):
                continue
            is_now = path.stat()
            if is_now.st_size or self._empty:
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                name = path.relative_to(self._root).as_posix()
                found.append(RawObject(name, is_now.st_size, digest, is_now.st_mtime))
        return found
