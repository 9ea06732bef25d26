"""The folder of one export in the datasets bucket: written once, file by file, and read back to go on."""

import hashlib
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from tenantscope_core.results.errors import NotSetUp
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.layout import within

from tenantscope_tenant_management.holdings import Exported, manifest_text

MANIFEST = "manifest.json"
OF_A_TENANT = "/tenant_id="
"""The delimiter of every listing. The role may list with no other, so that a listing that goes past one tenant's
folders shows that there are such folders, and not whose."""
MAX_COPY_BYTES = 5 * 1024**3  # what CopyObject takes
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object, or a delete marker, which has no size."""

    key: str
    version_id: str
    is_latest: bool
    size: int | None
    etag: str

    @property
    def is_marker(self) -> bool:
        """Whether it only says that the object was deleted."""
        return self.size is None


async def version_pages(aws: AwsCaller, bucket: str, prefix: str) -> AsyncGenerator[list[Version]]:
    """All versions and delete markers below a prefix, up to 1,000 a page."""
    question: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "Delimiter": OF_A_TENANT}
    for _ in range(_MOST_PAGES):
        page = await aws.call("s3", "list_object_versions", **question)
        found = [_version(one) for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]]
        if found:
            yield found
        if not page.get("IsTruncated"):
            return
        question["KeyMarker"] = page["NextKeyMarker"]
        question["VersionIdMarker"] = page.get("NextVersionIdMarker", "")


class ExportFolder:
    """`exports/tenant_id=<tenant>/<export>/`, opened with a session of that tenant.

    Names are paths within it. What is written twice under a name is the same content, or the later one counts.
    """

    def __init__(self, aws: AwsCaller, bucket: str | None, export_id: str) -> None:
        """Raises NotSetUp where there is no bucket, and ValueError for a fleet's session or an id of another form."""
        if bucket is None:
            raise NotSetUp(
                "There is no place for an export: whoever operates the server has to set TENANTSCOPE_DATASETS_BUCKET."
            )
        if aws.tenant is None or _ID.fullmatch(export_id) is None:
            raise ValueError("an export belongs to one tenant and has an id")
        self.bucket = bucket
        self.tenant = aws.tenant
        self.prefix = f"exports/tenant_id={self.tenant}/{export_id}/"
        self._aws = aws

    async def listed(self, below: str) -> dict[str, Version]:
        """The files below a folder of this one, by name."""
        found: dict[str, Version] = {}
        async for page in version_pages(self._aws, self.bucket, within(self.prefix, below)):
            current = [one for one in page if one.is_latest and not one.is_marker]
            found |= {one.key.removeprefix(self.prefix): one for one in current}
        return found

    async def put(self, name: str, content: bytes, *, rows: int | None = None) -> Exported:
        """Write a file; its digest and rows are kept beside it."""
        digest = hashlib.sha256(content).hexdigest()
        beside = {"sha256": digest} | ({} if rows is None else {"rows": str(rows)})
        await self._aws.call(
            "s3", "put_object", Bucket=self.bucket, Key=within(self.prefix, name), Body=content, Metadata=beside
        )
        return Exported(name, len(content), f"sha256:{digest}", rows)

    async def copy(self, name: str, source: Version) -> None:
        """Copy an object of this bucket as it is; no byte of it passes through this process."""
        await self._aws.call(
            "s3", "copy_object", Bucket=self.bucket, Key=within(self.prefix, name),
            CopySource={"Bucket": self.bucket, "Key": source.key, "VersionId": source.version_id},
        )  # fmt: skip

    async def found(self, name: str) -> Exported:
        """A file that `put` wrote, as it was told then."""
        head = await self._aws.call("s3", "head_object", Bucket=self.bucket, Key=within(self.prefix, name))
        beside: dict[str, str] = head.get("Metadata", {})
        rows = beside.get("rows")
        digest = f"sha256:{beside.get('sha256', '')}"
        return Exported(name, int(head["ContentLength"]), digest, None if rows is None else int(rows))

    async def read(self, name: str) -> bytes:
        """The content of a file, up to 64 MiB."""
        answer = await self._aws.call("s3", "get_object", Bucket=self.bucket, Key=within(self.prefix, name))
        return bytes(answer["Body"])

    async def write_manifest(self, files: list[Exported]) -> Exported:
        """Write what all of the export's files are; its own digest is what a receipt quotes."""
        return await self.put(MANIFEST, manifest_text(self.tenant, files).encode())


def _version(one: dict[str, Any]) -> Version:
    size = one.get("Size")
    etag = str(one.get("ETag", "")).strip('"')
    return Version(one["Key"], one["VersionId"], bool(one["IsLatest"]), None if size is None else int(size), etag)
