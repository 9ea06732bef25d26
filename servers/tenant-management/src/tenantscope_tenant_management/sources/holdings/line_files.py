"""Files of an export that hold a line of JSON a thing, gzipped: numbered parts, and a place to go on from."""

import gzip
from collections.abc import Sequence

from anyio import to_thread

from tenantscope_tenant_management.holdings import Exported
from tenantscope_tenant_management.sources.holdings.export_folder import ExportFolder

PART_BYTES = 8_000_000
"""About how large a part is before it is compressed."""


class LineFiles:
    """The parts below one folder of an export; `files` are those there are, `last` is the last line of the last one.

    The same lines make the same bytes. Use `opened`.
    """

    def __init__(self, folder: ExportFolder, below: str, files: list[Exported], last: str | None) -> None:
        self.files = files
        self.last = last
        self._folder = folder
        self._below = below

    @classmethod
    async def opened(cls, folder: ExportFolder, below: str) -> "LineFiles":
        """The parts that an earlier call wrote."""
        files = [await folder.found(name) for name in sorted(await folder.listed(below))]
        last = await to_thread.run_sync(_last_line, await folder.read(files[-1].name)) if files else None
        return cls(folder, below, files, last)

    async def add(self, lines: Sequence[str]) -> None:
        """Write the next part."""
        content = await to_thread.run_sync(_packed, lines)
        name = f"{self._below}part-{len(self.files) + 1:05d}.jsonl.gz"
        self.files.append(await self._folder.put(name, content, rows=len(lines)))
        self.last = lines[-1]


def _packed(lines: Sequence[str]) -> bytes:
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)


def _last_line(content: bytes) -> str:
    return gzip.decompress(content).decode().rstrip("\n").rpartition("\n")[2]
