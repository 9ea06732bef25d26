"""Where the bill lies: below an S3 prefix as AWS Data Exports writes it, or in a local folder."""

import contextlib
import hashlib
import re
from collections.abc import AsyncGenerator, Sequence
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

from tenantscope_cost_explorer.sources.focus import BillFile, is_bill

MAX_PAGES = 1_000
_PERIOD = re.compile(r"(?:^|/)BILLING_PERIOD=(\d{4}-(?:0[1-9]|1[0-2]))/", re.IGNORECASE)
_S3_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.*)")


@dataclass(frozen=True, slots=True)
class BillObject:
    """One object of the export as it is now; `month` is the billing period that its place names, if it names one."""

    name: str
    size: int
    etag: str
    month: str | None


class Bill(Protocol):
    """An export of the bill."""

    async def objects(self) -> list[BillObject]:
        """Every object that holds charges, in order of name."""
        ...

    def files(self, objects: Sequence[BillObject]) -> AbstractAsyncContextManager[list[BillFile]]:
        """Local files of these objects, there until the block ends."""
        ...


def open_bill(url: str, aws: AwsCaller, folder: Path) -> Bill:
    """The bill at `s3://bucket/prefix`, or at a path of this machine; `folder` is for copies.

    Raises:
        InvalidArgument: It is neither.
    """
    if match := _S3_URL.fullmatch(url):
        return S3Bill(aws, match[1], match[2], folder)
    path = Path(url.removeprefix("file://"))
    if not path.exists():
        raise InvalidArgument(f"There is no bill at {url}; it is an s3:// URL, or a file or folder of this machine.")
    return FolderBill(path)


class S3Bill:
    """The objects below a prefix, read with the provider's session."""

    def __init__(self, aws: AwsCaller, bucket: str, prefix: str, folder: Path) -> None:
        self._aws = aws
        self._bucket = bucket
        self._prefix = prefix
        self._folder = folder

    async def objects(self) -> list[BillObject]:
        """Every object that holds charges, in order of name."""
        found: list[BillObject] = []
        try:
            async for item in self._listed():
                name = str(item["Key"])
                if is_bill(name) and item["Size"]:
                    etag = str(item["ETag"]).strip('"')
                    found.append(BillObject(name, int(item["Size"]), etag, _month(name)))
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

    @contextlib.asynccontextmanager
    async def files(self, objects: Sequence[BillObject]) -> AsyncGenerator[list[BillFile]]:
        """Local copies, deleted when the block ends."""
        cache = ObjectCache(self._folder, max_bytes=sum(one.size for one in objects))
        refs = [ObjectRef(one.name, one.size, one.etag, 0) for one in objects]
        try:
            async with cache.pinned(self._aws, self._bucket, refs) as paths:
                yield [BillFile(one.name, paths[one.name], one.month) for one in objects]
                for path in paths.values():
                    cache.discard(path)
        except ObjectChanged as changed:
            raise Unavailable(
                f"The bill's file {changed.ref.key} changed while it was read; run this again."
            ) from changed
        finally:
            cache.close()


class FolderBill:
    """A file, or the files below a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._root = path.parent if path.is_file() else path

    async def objects(self) -> list[BillObject]:
        """Every file that holds charges, in order of name."""
        return await anyio.to_thread.run_sync(self._look)

    @contextlib.asynccontextmanager
    async def files(self, objects: Sequence[BillObject]) -> AsyncGenerator[list[BillFile]]:
        """The files themselves."""
        yield [BillFile(one.name, self._root / one.name, one.month) for one in objects]

    def _look(self) -> list[BillObject]:
        paths = [self._path] if self._path.is_file() else sorted(self._path.rglob("*"))
        found: list[BillObject] = []
        for path in paths:
            if path.is_file() and is_bill(path.name):
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                name = path.relative_to(self._root).as_posix()
                found.append(BillObject(name, path.stat().st_size, digest, _month(name)))
        return found


def _month(name: str) -> str | None:
    match = _PERIOD.search(name)
    return match[1] if match else None
