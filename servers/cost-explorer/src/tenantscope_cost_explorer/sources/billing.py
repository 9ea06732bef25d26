"""Where the bill lies: below an S3 prefix as AWS Data Exports writes it, or in a local folder."""

import contextlib
import re
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import anyio
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.raw_objects import RawObject, RawObjects, open_raw

from tenantscope_cost_explorer.sources.deliveries import (
    MAX_MANIFEST_BYTES,
    BillObject,
    Delivered,
    Manifest,
    is_manifest,
    listed_files,
    newest,
    settle,
)
from tenantscope_cost_explorer.sources.exports import BillFile, is_bill

_DATA = re.compile(r"(.*/|)data/?")


class Bill:
    """The exports of a bill: objects with charges, and the manifests beside them."""

    def __init__(self, raw: RawObjects, manifests: RawObjects | None = None) -> None:
        self._raw = raw
        self._manifests = manifests

    async def delivered(self) -> Delivered:
        """What the bill is made of at this moment, and which of its periods are not whole.

        Raises:
            ToolFailure: It cannot be listed or its manifests cannot be fetched.
        """
        objects = await self._raw.objects()
        source = self._manifests
        if source is None:
            return settle(objects, {})
        chosen = newest(await source.objects())
        fitting = [one for one in chosen if one.object.size <= MAX_MANIFEST_BYTES]
        told: dict[Manifest, list[str] | None] = dict.fromkeys(chosen)
        async with source.files([one.object for one in fitting]) as paths:
            for one in fitting:
                told[one] = listed_files(await anyio.Path(paths[one.object.name]).read_text("utf-8", "replace"))
        return settle(objects, told)

    async def objects(self) -> list[BillObject]:
        """Every object that holds charges, in order of name."""
        return (await self.delivered()).objects

    @contextlib.asynccontextmanager
    async def files(self, objects: Sequence[BillObject]) -> AsyncGenerator[list[BillFile]]:
        """Local files of these objects, there until the block ends."""
        raw: list[RawObject] = list(objects)
        async with self._raw.files(raw) as paths:
            yield [BillFile(one.name, paths[one.name], one.month, one.export, one.listed) for one in objects]


def open_bill(url: str, aws: AwsCaller, folder: Path) -> Bill:
    """The bill at `s3://bucket/prefix`, or at a path of this machine; `folder` is for copies.

    Where the place is the `data` folder of an export, its manifests are in the `metadata` folder beside that.

    Raises:
        InvalidArgument: It is neither.
    """
    bill = open_raw(url, aws, folder, what="bill", wanted=is_bill, empty=True)
    beside = _DATA.fullmatch(url)
    at = f"{beside[1]}metadata/" if beside else url
    local = Path(at.removeprefix("file://"))
    if not at.startswith("s3://") and not local.is_dir():
        return Bill(bill)
    return Bill(bill, open_raw(at, aws, folder / "manifests", what="bill", wanted=is_manifest))
