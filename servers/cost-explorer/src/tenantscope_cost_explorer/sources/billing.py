"""Where the bill lies: below an S3 prefix as AWS Data Exports writes it, or in a local folder."""

import contextlib
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.raw_objects import RawObject, RawObjects, open_raw

from tenantscope_cost_explorer.sources.focus import BillFile, is_bill

_PERIOD = re.compile(r"(?:^|/)BILLING_PERIOD=(\d{4}-(?:0[1-9]|1[0-2]))/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BillObject(RawObject):
    """One object of the export as it is now; `month` is the billing period that its place names, if it names one."""

    month: str | None


class Bill:
    """An export of the bill."""

    def __init__(self, raw: RawObjects) -> None:
        self._raw = raw

    async def objects(self) -> list[BillObject]:
        """Every object that holds charges, in order of name."""
        return [BillObject(one.name, one.size, one.etag, _month(one.name)) for one in await self._raw.objects()]

    @contextlib.asynccontextmanager
    async def files(self, objects: Sequence[BillObject]) -> AsyncGenerator[list[BillFile]]:
        """Local files of these objects, there until the block ends."""
        async with self._raw.files(objects) as paths:
            yield [BillFile(one.name, paths[one.name], one.month) for one in objects]


def open_bill(url: str, aws: AwsCaller, folder: Path) -> Bill:
    """The bill at `s3://bucket/prefix`, or at a path of this machine; `folder` is for copies.

    Raises:
        InvalidArgument: It is neither.
    """
    return Bill(open_raw(url, aws, folder, what="bill", wanted=is_bill))


def _month(name: str) -> str | None:
    match = _PERIOD.search(name)
    return match[1] if match else None
