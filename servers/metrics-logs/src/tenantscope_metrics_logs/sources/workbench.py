"""One month's log in a DuckDB of its own: lines in, a row each, sums out as Parquet files."""

import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
from tenantscope_core.results.documents import DocumentFault
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.dataset_writer import Part
from tenantscope_core.stores.interruptible import Interruptible
from tenantscope_core.stores.sql_text import string_literal
from tenantscope_core.stores.workbench import DuckDbWorkbench, Limits, copy_part, listed, tenant_parts

from tenantscope_metrics_logs.counting import (
    COUNTED,
    CREATE_REQUESTS,
    MAX_LINE_BYTES,
    Days,
    actions_of,
    classed,
    feature_rows,
    monthly_rows,
    names_of,
    slices,
    usage_rows,
)
from tenantscope_metrics_logs.learning import MAX_SHAPES, learn, shape_sql
from tenantscope_metrics_logs.log_formats import LogFormat, object_columns, read_objects_sql, read_sql
from tenantscope_metrics_logs.log_report import report_rows
from tenantscope_metrics_logs.log_rules import LogRules
from tenantscope_metrics_logs.routes import Route, RouteTable, with_path
from tenantscope_metrics_logs.sources.raw_log import Chunk, LogFile, Unpacker, cleaned

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

_OBJECTS = """
SELECT _line, 0 AS size, earliest, latest, own FROM read_json({files}, columns = {columns},
  format = 'newline_delimited', records = true, maximum_object_size = {longest},
  filename = 'tenantscope_place') AS _line
JOIN chunks ON chunks.place = _line.tenantscope_place"""
_LINES = """
SELECT line, strlen(line) AS size, earliest, latest, own FROM read_csv({files}, columns = {{'line': 'VARCHAR'}},
  auto_detect = false, header = false, delim = '\x1e\x1f\x1e', quote = '', escape = '', nullstr = '\x1e\x1e\x1e',
  strict_mode = true, max_line_size = {longest}, filename = 'place')
JOIN chunks USING (place)"""
_LONGEST = 4 << 20


@dataclass(frozen=True, slots=True)
class Counted:
    """A month's result, as files, and what became of the lines."""

    usage: tuple[Mapping[str, Part], Part]
    features: tuple[Mapping[str, Part], Part]
    report: Part
    classes: Mapping[str, int]
    known: Mapping[str, int]
    routes: Sequence[Route]

    @property
    def lines(self) -> int:
        """How many were read."""
        return sum(self.classes.values())


class LogWorkbench:
    """Counts the lines of one month at a time; a task that is cancelled stops it."""

    def __init__(self, folder: Path, kind: LogFormat, rules: LogRules, limits: Limits | None = None) -> None:
        self._folder = folder
        self._kind = kind
        self._rules = rules
        self._limits = limits or Limits()
        self._threads = anyio.CapacityLimiter(1)

    async def count(self, month: Month, files: Sequence[LogFile]) -> Counted:
        """Count a month's lines in these files.

        Raises:
            DataFault: A file is damaged; it is named.
            Unavailable: It needs more memory or disk than it may take.
        """
        async with self._filled(files, month) as duckdb:
            out = self._folder / "out"
            return await duckdb.run(lambda connection: _counted(connection, self._kind, self._rules, month, out))

    async def learn(self, files: Sequence[LogFile]) -> list[Route]:
        """The routes that these files' requests teach, whatever the rules say."""
        rules = LogRules(self._rules.tenant, fields=self._rules.fields)
        async with self._filled(files, None, rules) as duckdb:
            return await duckdb.run(_learned)

    async def months_in(self, file: LogFile) -> list[Month]:
        """The months of a file's lines, in order."""
        async with self._filled([file], None) as duckdb:
            rows = await duckdb.run(
                lambda connection: connection.execute(
                    "SELECT DISTINCT year(day), month(day) FROM requests WHERE day IS NOT NULL ORDER BY ALL"
                ).fetchall()
            )
        return [Month(year, month) for year, month in rows]

    @asynccontextmanager
    async def _filled(
        self, files: Sequence[LogFile], month: Month | None, rules: LogRules | None = None
    ) -> AsyncGenerator[DuckDbWorkbench]:
        """A database whose `requests` hold the lines."""
        asked = rules or self._rules
        duckdb = DuckDbWorkbench(self._folder, self._limits, keep=True)
        unpacker = Unpacker(
            files,
            self._folder / "unpacked",
            threads=self._limits.threads,
            with_headers=self._kind is LogFormat.CLOUDFRONT,
        )
        try:
            await duckdb.run(lambda connection: _prepare(connection, asked))
            while chunks := await self._on_thread(unpacker.next_batch):
                await self._insert(duckdb, asked, month, chunks)
                for chunk in chunks:
                    chunk.path.unlink()
            yield duckdb
        finally:
            duckdb.close()

    async def _insert(
        self, duckdb: DuckDbWorkbench, rules: LogRules, month: Month | None, chunks: Sequence[Chunk]
    ) -> None:
        """Fill `requests` from chunks: the quick ways first, which refuse what they cannot read to the last line."""
        for header in {chunk.header for chunk in chunks}:
            alike = [chunk for chunk in chunks if chunk.header == header]
            try:
                ways = _ways(self._kind, rules, month, header, alike)
            except DocumentFault as fault:
                raise InvalidArgument(str(fault)) from None
            for way in ways:
                try:
                    await duckdb.run(lambda connection, w=way, c=alike: _insert(connection, w, c))
                except _Unreadable:
                    continue
                break
            else:
                await self._on_thread(lambda _, c=alike: cleaned(c))
                await duckdb.run(lambda connection, w=ways[-1], c=alike: _insert(connection, w, c))

    async def _on_thread(self, work: Callable[[threading.Event], T]) -> T:
        job, stop = Interruptible(), threading.Event()

        def run() -> T:
            with job.running(stop.set):
                return work(stop)

        return await job.wait(run, self._threads)


class _Unreadable(Exception):
    """DuckDB does not take a chunk as it is."""


def _prepare(connection: "duckdb.DuckDBPyConnection", rules: LogRules) -> None:
    connection.execute(CREATE_REQUESTS)
    connection.execute("CREATE TEMP TABLE chunks (place VARCHAR, earliest DATE, latest DATE, own BOOLEAN)")
    if rules.routes is not None:
        _name_routes(connection, rules.routes)


def _name_routes(connection: "duckdb.DuckDBPyConnection", routes: Sequence[Route]) -> RouteTable:
    table = RouteTable.of(routes)
    rows = {
        "route_keys (key BIGINT, route INTEGER)": list(table.keys.items()),
        "route_names (route INTEGER, feature VARCHAR)": names_of(routes),
        "route_templates (route INTEGER, template VARCHAR)": [(n, route.template) for n, route in enumerate(routes)],
        "route_actions (route INTEGER, method VARCHAR, action VARCHAR)": actions_of(routes),
    }
    for declared, content in rows.items():
        connection.execute(f"CREATE TEMP TABLE {declared}")
        _add(connection, declared.partition(" ")[0], content)
    return table


def _add(connection: "duckdb.DuckDBPyConnection", table: str, rows: Sequence[Sequence[object]]) -> None:
    if rows:
        connection.execute("BEGIN")
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        connection.execute("COMMIT")


def _ways(
    kind: LogFormat, rules: LogRules, month: Month | None, header: str | None, chunks: Sequence[Chunk]
) -> list[str]:
    """The statements that insert these chunks' lines, the quickest first; the last takes whatever is clean."""
    files = listed([chunk.path for chunk in chunks])
    ways: list[str] = []
    if (columns := object_columns(kind, rules)) is not None:
        declared = ", ".join(f"{string_literal(name)}: {string_literal(type_)}" for name, type_ in columns.items())
        objects = _OBJECTS.format(files=files, columns=f"{{{declared}}}", longest=MAX_LINE_BYTES)
        ways.append(read_objects_sql(kind, rules, objects))
    ways.append(read_sql(kind, rules, header, _LINES.format(files=files, longest=_LONGEST)))
    return [_insert_sql(way, rules, month) for way in ways]


def _insert_sql(read: str, rules: LogRules, month: Month | None) -> str:
    requests = with_path(read)
    if rules.routes is not None:
        found = RouteTable.of(rules.routes).routed(requests)
    else:
        found = f"SELECT *, CAST(NULL AS INTEGER) AS route FROM ({shape_sql(requests, rules.tenant_place)})"
    path = "path" if rules.routes is None else "NULL"
    return f"""
INSERT INTO requests
SELECT class, day, tenant, {path}, route, method, status, bytes, us, person
FROM ({classed(found, rules, month.first_day if month is not None else None)})"""


def _insert(connection: "duckdb.DuckDBPyConnection", sql: str, chunks: Sequence[Chunk]) -> None:
    import duckdb

    connection.execute("DELETE FROM chunks")
    _add(
        connection,
        "chunks",
        [
            (str(chunk.path), *((chunk.days.before, chunk.days.after) if chunk.days else (None, None)), chunk.own)
            for chunk in chunks
        ],
    )
    try:
        connection.execute(sql)
    except (duckdb.InvalidInputException, duckdb.NotImplementedException) as error:
        raise _Unreadable from error


def _learned(connection: "duckdb.DuckDBPyConnection") -> list[Route]:
    shapes = connection.execute(
        "SELECT path, count(*) AS calls FROM requests"
        f" WHERE class IN ('{COUNTED}', 'no_tenant') AND status < 400 AND path IS NOT NULL"
        f" GROUP BY path ORDER BY calls DESC, path LIMIT {MAX_SHAPES}"
    ).fetchall()
    return learn(shapes)


def _route_shapes(connection: "duckdb.DuckDBPyConnection", routes: Sequence[Route]) -> None:
    """Give each row the route of its shape."""
    table = _name_routes(connection, routes)
    shapes = "SELECT DISTINCT path FROM requests WHERE path IS NOT NULL"
    connection.execute(f"CREATE TEMP TABLE shape_routes AS {table.routed(shapes)}")


def _counted(
    connection: "duckdb.DuckDBPyConnection", kind: LogFormat, rules: LogRules, month: Month, out: Path
) -> Counted:
    routes = rules.routes
    if routes is None:
        routes = tuple(_learned(connection))
        _route_shapes(connection, routes)
        source = (
            "SELECT requests.* REPLACE (shape_routes.route AS route) FROM requests LEFT JOIN shape_routes USING (path)"
        )
    else:
        source = "FROM requests"
    connection.execute(f"CREATE TEMP VIEW counted AS SELECT * FROM ({source}) WHERE class = '{COUNTED}'")
    days = connection.execute("SELECT day, count(*) FROM counted GROUP BY ALL ORDER BY ALL").fetchall()
    connection.execute(f"CREATE TEMP TABLE usage AS {monthly_rows(month.first_day)}")
    for number, some in enumerate(slices(days) if days else [Days(month.first_day, month.first_day)]):
        features = feature_rows(some, other_is_a_feature=rules.other_is_a_feature)
        connection.execute(f"INSERT INTO usage BY NAME {usage_rows(some)}")
        connection.execute(
            f"INSERT INTO features BY NAME {features}" if number else f"CREATE TEMP TABLE features AS {features}"
        )
    return _written(connection, kind, rules, routes, out)


def _written(
    connection: "duckdb.DuckDBPyConnection", kind: LogFormat, rules: LogRules, routes: Sequence[Route], out: Path
) -> Counted:
    connection.execute("SET preserve_insertion_order = true")
    connection.execute("CREATE TABLE usage_rows AS SELECT * FROM usage ORDER BY tenant_id, day, metric")
    connection.execute("CREATE TABLE feature_rows AS SELECT * FROM features ORDER BY tenant_id, day, feature, action")
    report = report_rows(kind=kind, rules=rules.version, routes="learned" if rules.routes is None else "given")
    connection.execute(f"CREATE TEMP TABLE report AS {report}")
    counts = connection.execute(
        "SELECT section, name, lines FROM report WHERE section IN ('class', 'known')"
    ).fetchall()
    classes, known = (
        {name: lines for section, name, lines in counts if section == wanted} for wanted in ("class", "known")
    )
    return Counted(
        usage=tenant_parts(connection, "usage_rows", out / "usage"),
        features=tenant_parts(connection, "feature_rows", out / "feature_usage"),
        report=copy_part(connection, "FROM report", out / "report.parquet"),
        classes=classes,
        known=known,
        routes=routes,
    )
