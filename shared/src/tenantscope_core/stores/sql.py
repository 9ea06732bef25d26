"""Analytical SQL over datasets: one text for two engines, each table narrowed before the text sees it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from tenantscope_core.identity.caller import is_tenant_id
from tenantscope_core.stores.aws import AwsCaller, require_owner
from tenantscope_core.stores.datasets import Committed
from tenantscope_core.stores.manifests import Commit
from tenantscope_core.stores.schemas import Dataset
from tenantscope_core.stores.sql_text import Scalar, SqlText, column_type, identifier, string_literal

DEFAULT_MAX_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Table:
    """The months of a dataset that one query may see, of one tenant or (None) of the fleet.

    It has the dataset's columns and `tenant_id` and `month` (VARCHAR, `2026-09`) beside them.
    """

    dataset: Dataset
    tenant: str | None
    months: Mapping[str, Commit]
    stale_since: datetime | None = None

    @classmethod
    def of(cls, dataset: Dataset, committed: Committed, months: Collection[str] | None = None) -> "Table":
        """What is committed of these months (default: of all); months that are not are simply not there."""
        manifest = committed.manifest
        if manifest.dataset != dataset.name:
            raise ValueError(f"a manifest of {manifest.dataset} is none of {dataset.name}")
        chosen = {month: commit for month, commit in manifest.months.items() if months is None or month in months}
        return cls(dataset, manifest.tenant, chosen, committed.stale_since)


@dataclass(frozen=True, slots=True)
class Result:
    """Rows as tuples in the order of `columns`.

    `truncated` says that there are more rows than `max_rows`; `scanned_bytes` is what the engine read for the answer,
    `reused` that it was an earlier result, `stale_since` when the oldest manifest behind it was last known to be
    current (None: it is).
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    truncated: bool
    scanned_bytes: int
    stale_since: datetime | None
    reused: bool = False


class SqlEngine(Protocol):
    """Runs SELECT statements over tables.

    The text names the tables as the mapping does and can reach nothing else. It is written in what DuckDB and Athena
    share: ANSI SQL, `date_trunc`, `date_diff`, `max_by`, `count_if`, `filter (where …)`, `try_cast`, and by shim
    `approx_percentile` and `regexp_like`. Divide decimals and integers as DOUBLE, or after the query: the engines type
    `/` differently. `?` stands for a parameter.
    """

    async def query(
        self,
        sql: str,
        parameters: Sequence[Scalar],
        tables: Mapping[str, Table],
        *,
        aws: AwsCaller,
        max_rows: int = DEFAULT_MAX_ROWS,
    ) -> Result:
        """The answer to one statement.

        Raises:
            OtherTenant: A table is not for these credentials.
            DataFault: A stored object is damaged; dataset and month are named.
            InvalidArgument: The query would read more than one may.
            Unavailable: The engine or S3 is down, or the query took too long.
            ToolFailure: AWS refused.
        """
        ...


Source: TypeAlias = Callable[[Table, str, Commit], str | None]
"""The FROM clause of one committed month, None where it has no rows."""


def with_tables(sql: SqlText, tables: Mapping[str, Table], aws: AwsCaller, source: Source) -> str:
    """The statement behind common table expressions that define each table, narrowed to its tenant and months.

    Raises:
        OtherTenant: A table is not for these credentials.
        ValueError: A name is not an identifier, or a type not one of those that both engines know.
    """
    require_owners(tables, aws)
    views = [f"{identifier(name)} AS ({_view(table, source)})" for name, table in tables.items()]
    if not views:
        return sql.text
    return "WITH " + ", ".join(views) + (", " + sql.after_with if sql.after_with is not None else " " + sql.text)


def require_owners(tables: Mapping[str, Table], aws: AwsCaller) -> None:
    """Refuse tables that these credentials are not for.

    Raises:
        OtherTenant: There is one.
    """
    for table in tables.values():
        require_owner(aws, table.tenant)


def oldest(tables: Mapping[str, Table]) -> datetime | None:
    """Since when the stalest of the tables is stale."""
    return min((table.stale_since for table in tables.values() if table.stale_since is not None), default=None)


def projection(table: Table) -> str:
    """The dataset's columns, each cast to its declared type."""
    return ", ".join(
        f"CAST({identifier(name)} AS {column_type(kind)}) AS {identifier(name)}"
        for name, kind in table.dataset.columns.items()
    )


def _view(table: Table, source: Source) -> str:
    if table.tenant is not None and not is_tenant_id(table.tenant):
        raise ValueError("not a tenant id")
    sources = [(month, source(table, month, commit)) for month, commit in sorted(table.months.items())]
    branches = [_month(table, month, found) for month, found in sources if found is not None]
    return " UNION ALL ".join(branches) if branches else _nothing(table)


def _month(table: Table, month: str, source: str) -> str:
    stamp = f"CAST({string_literal(month)} AS VARCHAR) AS {identifier('month')}"
    if table.tenant is None:
        return f"SELECT {projection(table)}, CAST(tenant_id AS VARCHAR) AS tenant_id, {stamp} FROM {source}"
    owner = f"CAST({string_literal(table.tenant)} AS VARCHAR) AS tenant_id"
    return f"SELECT {projection(table)}, {owner}, {stamp} FROM {source}"


def _nothing(table: Table) -> str:
    columns = {**table.dataset.columns, "tenant_id": "VARCHAR", "month": "VARCHAR"}
    typed = ", ".join(f"CAST(NULL AS {column_type(kind)}) AS {identifier(name)}" for name, kind in columns.items())
    return f"SELECT {typed} WHERE FALSE"
