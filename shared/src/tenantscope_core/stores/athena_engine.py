"""The SQL engine for what outgrows one machine: Athena over the same objects, with the caller's credentials.

Results are reused as https://docs.aws.amazon.com/athena/latest/ug/reusing-query-results.html says; docs/data.md tells
what that means for tenants.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import anyio

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import DataFault, InvalidArgument, Unavailable
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.manifests import Commit, describe
from tenantscope_core.stores.scans import count_scan
from tenantscope_core.stores.sql import DEFAULT_MAX_ROWS, Result, Table, oldest, with_tables
from tenantscope_core.stores.sql_text import Scalar, SqlText, identifier, string_literal

_PAGE_ROWS = 1_000
_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 2.0
_STOP_SECONDS = 5.0
_LONGEST_STATEMENT = 262_144
_TOO_MUCH = "bytes scanned limit"  # the workgroup's BytesScannedCutoffPerQuery: "Bytes scanned limit was exceeded"
_DATA_AT_FAULT = ("HIVE_BAD_DATA", "HIVE_CURSOR_ERROR", "HIVE_FILESYSTEM_ERROR", "HIVE_PARTITION_SCHEMA_MISMATCH")
_READ: Mapping[str, Callable[[str], Any]] = {
    "boolean": lambda text: text == "true",
    "tinyint": int,
    "smallint": int,
    "integer": int,
    "bigint": int,
    "float": float,
    "double": float,
    "decimal": Decimal,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
}


@dataclass(frozen=True, slots=True)
class AthenaSettings:
    """Where Athena finds the datasets' tables and leaves results.

    `database` holds a table per dataset, partitioned by tenant_id, month, run, and one `fleet_<dataset>`, by month and
    run. Results go to `output` + `tenant_id=<tenant>/` or `provider/`, so that a role can be kept to its own.

    Athena reuses no result of a query that names a place of its own. So with `reuse_minutes` questions about the fleet
    leave theirs out, and the workgroup's own has to be `provider/`; those about a tenant always name it and are never
    answered by an earlier one. `most_bytes` ends a query that has read more, beside the workgroup's own limit.
    """

    database: str
    workgroup: str
    output: str
    reuse_minutes: int = 60
    timeout_seconds: float = 60.0
    most_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class _Ended:
    execution: str
    scanned: int
    reused: bool


class AthenaEngine:
    """Starts a query, waits for it, reads its rows; a query nobody waits for any more is stopped."""

    def __init__(self, settings: AthenaSettings) -> None:
        self._settings = settings
        self._database = identifier(settings.database)

    async def query(
        self,
        sql: str,
        parameters: Sequence[Scalar],
        tables: Mapping[str, Table],
        *,
        aws: AwsCaller,
        max_rows: int = DEFAULT_MAX_ROWS,
    ) -> Result:
        """See `SqlEngine.query`; `scanned_bytes` is what Athena bills for (0 where it reused a result).

        Each query that ends is counted for the call that it is of (`counting_scans`).
        """
        text = SqlText.read(sql).rendered(parameters)
        if self._settings.database.lower() in text.words:
            raise ValueError("a query names its tables and never the database")
        statement = with_tables(text, tables, aws, self._source)
        if len(statement.encode()) > _LONGEST_STATEMENT:
            raise InvalidArgument("The question is of more months than Athena can be asked for at once; ask for fewer.")
        try:
            with anyio.fail_after(self._settings.timeout_seconds):
                ended = await self._execute(statement, tables, aws)
                count_scan(ended.scanned, reused=ended.reused)
                columns, rows = await self._rows(ended.execution, aws, max_rows + 1)
        except TimeoutError:
            raise Unavailable("The query took too long; ask for fewer months, or try again.") from None
        except AwsError as error:
            raise error.as_failure() from error
        return Result(columns, rows[:max_rows], len(rows) > max_rows, ended.scanned, oldest(tables), ended.reused)

    def _source(self, table: Table, month: str, commit: Commit) -> str | None:
        if not commit.objects:
            return None
        name = identifier(table.dataset.name if table.tenant is not None else f"fleet_{table.dataset.name}")
        where = [f'"month" = {string_literal(month)}', f'"run" = {string_literal(commit.run)}']
        if table.tenant is not None:
            where.insert(0, f'"tenant_id" = {string_literal(table.tenant)}')
        return f"{self._database}.{name} WHERE {' AND '.join(where)}"

    async def _execute(self, statement: str, tables: Mapping[str, Table], aws: AwsCaller) -> _Ended:
        started = await aws.call(
            "athena",
            "start_query_execution",
            QueryString=statement,
            WorkGroup=self._settings.workgroup,
            **self._results(aws.tenant),
        )
        execution = str(started["QueryExecutionId"])
        try:
            return await self._wait(execution, tables, aws)
        except BaseException:  # cancelled, timed out or failed: in each case nobody will read the answer
            with anyio.move_on_after(_STOP_SECONDS, shield=True):
                await _stop(execution, aws)
            raise

    def _results(self, tenant: str | None) -> dict[str, Any]:
        """Where the results go, or that an earlier one will do; never both, for Athena then reuses none."""
        minutes = self._settings.reuse_minutes
        if tenant is None and minutes:
            age = {"Enabled": True, "MaxAgeInMinutes": minutes}
            return {"ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": age}}
        owner = "provider/" if tenant is None else f"tenant_id={tenant}/"
        return {"ResultConfiguration": {"OutputLocation": f"{self._settings.output}{owner}"}}

    async def _wait(self, execution: str, tables: Mapping[str, Table], aws: AwsCaller) -> _Ended:
        pause = _FIRST_WAIT_SECONDS
        while True:  # ends by the query's end or by the deadline around it
            answer = await aws.call("athena", "get_query_execution", QueryExecutionId=execution)
            found = answer["QueryExecution"]
            statistics = found.get("Statistics", {})
            scanned = int(statistics.get("DataScannedInBytes", 0))
            match found["Status"]["State"]:
                case "SUCCEEDED":
                    reuse = statistics.get("ResultReuseInformation", {})
                    return _Ended(execution, scanned, bool(reuse.get("ReusedPreviousResult")))
                case "FAILED" | "CANCELLED":
                    raise _failed(found["Status"], tables)
                case _:
                    if self._settings.most_bytes is not None and scanned > self._settings.most_bytes:
                        raise _too_much()
                    await anyio.sleep(pause)
                    pause = min(pause * 1.5, _LONGEST_WAIT_SECONDS)

    async def _rows(
        self, execution: str, aws: AwsCaller, max_rows: int
    ) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        rows: list[tuple[Any, ...]] = []
        columns: tuple[str, ...] = ()
        readers: list[Callable[[str], Any]] = []
        token: dict[str, str] = {}
        for page in range(max_rows // _PAGE_ROWS + 2):
            answer = await aws.call(
                "athena", "get_query_results", QueryExecutionId=execution, MaxResults=_PAGE_ROWS, **token
            )
            stored = answer["ResultSet"]["Rows"]
            if page == 0:
                info = answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
                columns = tuple(column["Name"] for column in info)
                readers = [_READ.get(column["Type"].lower().partition("(")[0], str) for column in info]
                stored = stored[1:]  # the first row repeats the column names
            rows += [_row(item["Data"], readers) for item in stored[: max_rows - len(rows)]]
            if len(rows) >= max_rows or "NextToken" not in answer:
                break
            token = {"NextToken": answer["NextToken"]}
        return columns, rows


class AthenaFailed(Exception):
    """Athena ran the query and failed; a fault of the query or of Athena, never shown to a caller."""


async def _stop(execution: str, aws: AwsCaller) -> None:
    try:
        await aws.call("athena", "stop_query_execution", QueryExecutionId=execution)
    except AwsError:
        return  # it ends by the workgroup's own limit


def _failed(status: Mapping[str, Any], tables: Mapping[str, Table]) -> Exception:
    reason = str(status.get("StateChangeReason", ""))
    if _TOO_MUCH in reason.lower():
        return _too_much()
    if status.get("AthenaError", {}).get("Retryable") or "EXHAUSTED" in reason or "limit exceeded" in reason.lower():
        return Unavailable("Athena could not run the query now; try again shortly.")
    if any(code in reason for code in _DATA_AT_FAULT):
        named = "; ".join(_named(table, reason) for table in tables.values())
        return DataFault(f"Stored data cannot be read: {named}. The rollup has to be run again.")
    return AthenaFailed(reason)


def _too_much() -> InvalidArgument:
    return InvalidArgument(
        "The answer needs more data than one query may read here, so Athena was stopped; ask for a shorter period. "
        "Whoever operates the server can set the limit higher."
    )


def _named(table: Table, reason: str) -> str:
    months = [month for month in sorted(table.months) if f"month={month}/" in reason]
    return describe(table.dataset.name, table.tenant, ", ".join(months or sorted(table.months)))


def _row(cells: Sequence[Mapping[str, str]], readers: Sequence[Callable[[str], Any]]) -> tuple[Any, ...]:
    return tuple(
        None if (text := cell.get("VarCharValue")) is None else read(text)
        for cell, read in zip(cells, readers, strict=True)
    )
