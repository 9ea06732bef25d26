"""Where a dataset's objects lie in the bucket: pure functions from names to S3 keys."""

import re

from tenantscope_core.identity.caller import is_tenant_id
from tenantscope_core.results.periods import Month

MANIFEST = "_manifest.json"

_DATASET = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


def prefix(dataset: str, tenant: str | None) -> str:
    """The prefix that holds everything of a dataset for one tenant, or for the whole fleet (`tenant` None).

    Raises:
        ValueError: The dataset or the tenant is not a name.
    """
    if _DATASET.fullmatch(dataset) is None:
        raise ValueError(f"not a dataset name: {dataset!r}")
    if tenant is None:
        return f"fleet/{dataset}/"
    if not is_tenant_id(tenant):
        raise ValueError("not a tenant id")
    return f"datasets/{dataset}/tenant_id={tenant}/"


def manifest_key(dataset: str, tenant: str | None) -> str:
    """The key of the manifest that says what is committed."""
    return within(prefix(dataset, tenant), MANIFEST)


def run_prefix(dataset: str, tenant: str | None, month: str, run: str) -> str:
    """The prefix of the objects of one run of one month.

    Raises:
        ValueError: A part is not of its form.
    """
    if str(Month.parse(month)) != month:
        raise ValueError(f"not a month: {month!r}")
    if _RUN.fullmatch(run) is None:
        raise ValueError(f"not a run id: {run!r}")
    return within(prefix(dataset, tenant), f"month={month}/run={run}/")


def object_key(dataset: str, tenant: str | None, month: str, run: str, part: int = 0) -> str:
    """The key of one Parquet object of a run."""
    return within(run_prefix(dataset, tenant, month, run), f"part-{part}.parquet")


def within(folder: str, rest: str) -> str:
    """`folder` + `rest`, where `rest` can only lead deeper.

    Raises:
        ValueError: `folder` is no prefix, or `rest` climbs, is absolute or empty.
    """
    if not folder.endswith("/") or not rest or "\\" in rest or "\0" in rest:
        raise ValueError("not a key within a prefix")
    if any(piece in ("", ".", "..") for piece in rest.removesuffix("/").split("/")):
        raise ValueError("not a key within a prefix")
    return folder + rest
