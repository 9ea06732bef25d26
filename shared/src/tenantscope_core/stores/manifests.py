"""Manifests: which objects make up a dataset, month by month. A reader reads exactly these and never a listing."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from tenantscope_core.results.errors import DataFault
from tenantscope_core.results.periods import Month
from tenantscope_core.stores import layout

FORMAT = 1
_ETAG = re.compile(r"[0-9a-f]{32}(-\d{1,5})?")


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One S3 object as it was committed; `etag` is without quotes, `size` in bytes."""

    key: str
    size: int
    etag: str
    rows: int


@dataclass(frozen=True, slots=True)
class Commit:
    """One committed month. `inputs` is the hash of what it was made from; no objects means: known to have no rows."""

    run: str
    objects: tuple[ObjectRef, ...]
    written: datetime
    inputs: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything committed of one dataset, for one tenant or (None) for the fleet."""

    dataset: str
    tenant: str | None
    months: Mapping[str, Commit] = field(default_factory=dict[str, Commit])

    @property
    def latest(self) -> Month | None:
        """The newest committed month."""
        return Month.parse(max(self.months)) if self.months else None

    def with_month(self, month: str, commit: Commit) -> "Manifest":
        """The manifest after a commit."""
        return Manifest(self.dataset, self.tenant, dict(sorted({**self.months, month: commit}.items())))

    def to_json(self) -> bytes:
        """The stored form."""
        months = {
            month: {
                "run": commit.run,
                "objects": [
                    {"key": ref.key, "size": ref.size, "etag": ref.etag, "rows": ref.rows} for ref in commit.objects
                ],
                "written": commit.written.isoformat(),
                "inputs": commit.inputs,
            }
            for month, commit in sorted(self.months.items())
        }
        return json.dumps({"dataset": self.dataset, "format": FORMAT, "months": months}, indent=1).encode()


def describe(dataset: str, tenant: str | None, month: str | None = None) -> str:
    """How a sentence names a dataset: `dataset usage of tenant acme, month 2026-09`."""
    owner = "the fleet" if tenant is None else f"tenant {tenant}"
    return f"dataset {dataset} of {owner}" + (f", month {month}" if month else "")


def parse_manifest(stored: bytes, dataset: str, tenant: str | None) -> Manifest:
    """The manifest in `stored`, which must be about this dataset and name objects below its own prefix only.

    Raises:
        DataFault: It is damaged, another dataset's, or leads outside its prefix.
    """
    try:
        document = cast(dict[str, Any], json.loads(stored))
        if document["dataset"] != dataset or document["format"] != FORMAT:
            raise ValueError("another dataset or format")
        months = {month: _commit(entry, dataset, tenant, month) for month, entry in document["months"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise DataFault(
            f"The manifest of {describe(dataset, tenant)} is damaged; its rollup has to be run again."
        ) from None
    return Manifest(dataset, tenant, months)


def _commit(entry: Mapping[str, Any], dataset: str, tenant: str | None, month: str) -> Commit:
    folder = layout.run_prefix(dataset, tenant, month, entry["run"])
    written = datetime.fromisoformat(entry["written"])
    if written.tzinfo is None or not isinstance(entry["inputs"], str):
        raise ValueError("written without a zone, or inputs not a text")
    return Commit(entry["run"], tuple(_ref(item, folder) for item in entry["objects"]), written, entry["inputs"])


def _ref(item: Mapping[str, Any], folder: str) -> ObjectRef:
    key, size, etag, rows = item["key"], item["size"], item["etag"], item["rows"]
    if not isinstance(key, str) or layout.within(folder, key.removeprefix(folder)) != key:
        raise ValueError("an object outside the run")
    if type(size) is not int or type(rows) is not int or size < 0 or rows < 0:
        raise ValueError("not a size")
    if not isinstance(etag, str) or _ETAG.fullmatch(etag.strip('"')) is None:
        raise ValueError("not an etag")
    return ObjectRef(key, size, etag.strip('"'), rows)
