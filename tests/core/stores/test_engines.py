"""One SQL text, two engines, equal answers; and neither a way out of its tables."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import duckdb
import pytest
from botocore.session import Session
from botocore.validate import ParamValidator
from core.stores.datasets import commit, usage_row
from fixtures.clock import Clock
from fixtures.stores import Cloud, SignedCaller, glue_tables
from tenantscope_core.results.errors import DataFault, InvalidArgument, Unavailable
from tenantscope_core.stores import schemas
from tenantscope_core.stores.athena_engine import AthenaEngine, AthenaFailed, AthenaSettings
from tenantscope_core.stores.aws import OtherTenant
from tenantscope_core.stores.dataset_writer import DatasetWriter
from tenantscope_core.stores.datasets import Committed, DatasetReader
from tenantscope_core.stores.duckdb_engine import DuckDbEngine, DuckDbLimits
from tenantscope_core.stores.manifests import Manifest
from tenantscope_core.stores.object_cache import ObjectCache
from tenantscope_core.stores.scans import counting_scans
from tenantscope_core.stores.schemas import FEATURE_USAGE, LLM_USAGE, USAGE
from tenantscope_core.stores.sql import Result, SqlEngine, Table
from tenantscope_core.stores.sql_text import Scalar

DATABASE = "tenantscope"
MONTHS = ("2026-08", "2026-09")
SUM = "SELECT metric, sum(quantity) AS total FROM usage GROUP BY metric ORDER BY metric"
CROSS = "SELECT sum(a.range * b.range) AS slow FROM range(4000000) a, range(400000) b, usage"


class World:
    """Two tenants with usage in two months, committed; and both engines over it."""

    def __init__(self, cloud: Cloud, bucket: str, folder: Path) -> None:
        self.cloud = cloud
        self.bucket = bucket
        self.clock = Clock()
        self.folder = folder
        self.reader = DatasetReader(bucket, clock=self.clock)
        self.cache = ObjectCache(folder / "cache", max_bytes=50 << 20)
        self.writer = DatasetWriter(cloud.fleet(), bucket, clock=self.clock)
        self.duckdb = DuckDbEngine(self.reader, self.cache)
        output = f"s3://{bucket}/athena-results/"
        self.athena = AthenaEngine(AthenaSettings(DATABASE, "primary", output, reuse_minutes=0))

    async def table(
        self, tenant: str | None, dataset: schemas.Dataset = USAGE, months: tuple[str, ...] | None = None
    ) -> Table:
        committed = await self.reader.committed(self.cloud.fleet(), dataset.name, tenant)
        return Table.of(dataset, committed, months)

    def caller(self, tenant: str | None) -> SignedCaller:
        return self.cloud.fleet() if tenant is None else self.cloud.tenant(tenant)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def world(shared_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    bucket = "engines"
    shared_cloud.client("s3").create_bucket(Bucket=bucket)
    glue = shared_cloud.client("glue")
    glue.create_database(DatabaseInput={"Name": DATABASE})
    for table in glue_tables(bucket):
        glue.create_table(DatabaseName=DATABASE, TableInput=table)
    world = World(shared_cloud, bucket, tmp_path_factory.mktemp("engines"))
    for month in MONTHS:
        rows = {
            "acme": [usage_row(f"{month}-{day:02d}", "requests", f"{day}.25") for day in range(1, 28)]
            + [usage_row(f"{month}-01", "it's; bytes", "9999999999999999999999999999.123456")],
            "globex": [usage_row(f"{month}-01", "requests", "1000")],
        }
        for run in ("r0", "r1"):  # an old run stays in the bucket and must not be read
            await commit(world.writer, world.folder, USAGE, month, rows, run=run)
    features = {"acme": [(date(2026, 9, 1), "search", "get", n, 1, 0, 1.5 * n, None, n) for n in range(1, 5)]}
    await commit(world.writer, world.folder, FEATURE_USAGE, "2026-09", features)
    yield world
    world.cache.close()


@pytest.fixture(params=["duckdb", "athena"])
def engine(request: pytest.FixtureRequest, world: World) -> SqlEngine:
    return world.duckdb if request.param == "duckdb" else world.athena


QUESTIONS: list[tuple[str, list[Scalar]]] = [
    (SUM, []),
    ("SELECT day, quantity FROM usage WHERE quantity = ? ORDER BY day", [Decimal("3.25")]),
    ("SELECT count(*) AS n FROM usage WHERE metric = ?", ["it's; bytes"]),
    ("SELECT count(*) AS n FROM usage WHERE day >= ? AND day < ?", [date(2026, 8, 30), date(2026, 9, 3)]),
    ("SELECT tenant_id, month, count(*) AS n FROM usage GROUP BY tenant_id, month ORDER BY tenant_id, month", []),
    (
        "WITH daily AS (SELECT day, sum(quantity) AS q FROM usage WHERE metric = ? GROUP BY day) "
        "SELECT date_trunc('month', day) AS m, max(q) AS most, max_by(day, q) AS busiest, count_if(q > ?) AS busy "
        "FROM daily GROUP BY 1 ORDER BY 1",
        ["requests", 20],
    ),
    ("SELECT u.metric, f.feature, f.p50_ms, f.p95_ms FROM usage u JOIN features f ON u.day = f.day ORDER BY 1, 3", []),
    ("SELECT sum(calls) FILTER (WHERE calls > ?) AS n, CAST(sum(calls) AS DOUBLE) / 4 AS mean FROM features", [2]),
    ("SELECT ? AS a, ? AS b, ? AS c, ? AS d, CAST(? AS VARCHAR) AS e", [True, 1.5, -7, "ü''\n?", None]),
    (
        "SELECT ? AS at, date_diff('day', ?, ?) AS days",
        [datetime(2026, 9, 1, 12, tzinfo=UTC), date(2026, 9, 1), date(2026, 9, 8)],
    ),
    ("SELECT count(*) AS n, max(cost) AS most FROM models", []),
    (
        "SELECT day, rank() OVER (ORDER BY quantity DESC) AS p FROM usage WHERE month = '2026-09' ORDER BY 2 LIMIT 3",
        [],
    ),
]


@pytest.mark.requirement("both-engines")
@pytest.mark.parametrize("who", ["acme", None])
async def test_both_engines_give_the_same_answer_to_the_same_text(who: str | None, world: World):
    tables = {
        "usage": await world.table(who),
        "features": await world.table(who, FEATURE_USAGE),
        "models": await world.table(who, LLM_USAGE),
    }
    for sql, parameters in QUESTIONS:
        here = await world.duckdb.query(sql, parameters, tables, aws=world.caller(who))
        there = await world.athena.query(sql, parameters, tables, aws=world.caller(who))
        assert (here.columns, here.rows) == (there.columns, there.rows), sql


async def test_sums_are_exact_decimals_of_the_committed_run_alone(engine: SqlEngine, world: World):
    result = await engine.query(SUM, [], {"usage": await world.table("acme")}, aws=world.caller("acme"))
    assert result.columns == ("metric", "total")
    assert result.rows == [
        ("it's; bytes", Decimal("19999999999999999999999999998.246912")),
        ("requests", 2 * (Decimal(sum(range(1, 28))) + 27 * Decimal("0.25"))),
    ]


async def test_a_table_holds_the_months_it_was_made_for(engine: SqlEngine, world: World):
    table = await world.table("acme", months=("2026-09", "2031-01"))
    result = await engine.query("SELECT DISTINCT month FROM usage", [], {"usage": table}, aws=world.caller("acme"))
    assert result.rows == [("2026-09",)]


async def test_a_dataset_without_rows_is_an_empty_table_of_its_types(engine: SqlEngine, world: World):
    table = Table.of(LLM_USAGE, Committed(Manifest("llm_usage", "acme")))
    sql = "SELECT sum(cost) AS cost, count(*) AS n, max(tokens_in) AS t, max(day) AS d FROM llm"
    result = await engine.query(sql, [], {"llm": table}, aws=world.caller("acme"))
    assert result.rows == [(None, 0, None, None)]


async def test_rows_beyond_the_bound_are_cut_aloud(engine: SqlEngine, world: World):
    tables = {"usage": await world.table("acme")}
    cut = await engine.query("SELECT day FROM usage ORDER BY day", [], tables, aws=world.caller("acme"), max_rows=5)
    assert (len(cut.rows), cut.truncated) == (5, True)
    whole = await engine.query("SELECT day FROM usage LIMIT 5", [], tables, aws=world.caller("acme"), max_rows=5)
    assert (len(whole.rows), whole.truncated) == (5, False)


async def test_an_answer_longer_than_a_page_is_whole(world: World):
    sql = "SELECT a.day FROM usage a CROSS JOIN usage b ORDER BY 1"
    result = await world.athena.query(sql, [], {"usage": await world.table("acme")}, aws=world.caller("acme"))
    assert len(result.rows) == 56 * 56


async def test_an_answer_says_how_stale_it_is_and_what_was_read(engine: SqlEngine, world: World):
    fresh = await world.table("acme")
    seen = datetime(2026, 9, 1, tzinfo=UTC)
    stale = Table(fresh.dataset, fresh.tenant, fresh.months, stale_since=seen)
    result = await engine.query(SUM, [], {"usage": stale, "other": fresh}, aws=world.caller("acme"))
    assert result.stale_since == seen
    assert result.scanned_bytes >= 0


async def test_a_table_of_another_tenant_is_refused_before_anything_is_asked(engine: SqlEngine, world: World):
    acme = world.caller("acme")
    for tenant in ("globex", None):
        with pytest.raises(OtherTenant):
            await engine.query(SUM, [], {"usage": await world.table(tenant)}, aws=acme)
    assert acme.calls == []


@pytest.mark.parametrize("name", ["a b", 'x" AS (SELECT 1), "y', "", "1a"])
async def test_a_table_name_is_an_identifier(name: str, engine: SqlEngine, world: World):
    with pytest.raises(ValueError, match="identifier"):
        await engine.query("SELECT 1", [], {name: await world.table("acme")}, aws=world.caller("acme"))


async def test_a_query_s_text_reaches_no_other_file_setting_or_statement(world: World, tmp_path: Path):
    fleet, acme = await world.table(None), world.caller("acme")
    async with world.cache.pinned(world.cloud.fleet(), world.bucket, list(fleet.months["2026-09"].objects)) as files:
        other = next(iter(files.values()))
        for text in (
            f"SELECT * FROM read_parquet('{other}')",
            f"SELECT * FROM '{other}'",
            f"SELECT * FROM read_parquet('{other.parent}/*')",
            "SELECT * FROM read_csv('/etc/hostname')",
            "SELECT * FROM read_text('/etc/hostname')",
            "SELECT * FROM glob('/*')",
            f"SELECT * FROM read_parquet('s3://{world.bucket}/fleet/x')",
            "SELECT * FROM read_parquet('http://127.0.0.1:1/x')",
        ):
            with pytest.raises(duckdb.Error):
                await world.duckdb.query(text, [], {"usage": await world.table("acme")}, aws=acme)
        for text in (f"COPY usage TO '{tmp_path}/x'", "INSTALL httpfs", "SELECT 1; ATTACH 'x'", "SET threads = 9"):
            with pytest.raises(ValueError, match=r"."):
                await world.duckdb.query(text, [], {}, aws=acme)


async def test_athena_is_told_tenant_month_and_run_and_its_database_cannot_be_named(world: World):
    acme = world.caller("acme")
    await world.athena.query(SUM, [], {"usage": await world.table("acme", months=("2026-09",))}, aws=acme)
    started = dict(acme.calls[0][1])
    assert "\"tenant_id\" = 'acme' AND \"month\" = '2026-09' AND \"run\" = 'r1'" in started["QueryString"]
    assert started["ResultConfiguration"]["OutputLocation"].endswith("/athena-results/tenant_id=acme/")
    assert "QueryExecutionContext" not in started
    for text in ("SELECT * FROM tenantscope.usage", 'SELECT * FROM "Tenantscope"."fleet_usage"'):
        with pytest.raises(ValueError, match="database"):
            await world.athena.query(text, [], {}, aws=acme)
    with pytest.raises(AthenaFailed):
        await world.athena.query("SELECT * FROM fleet_usage", [], {}, aws=acme)


@pytest.mark.requirement("bad-object-named")
@pytest.mark.parametrize("damage", ["truncated", "not parquet", "other columns"])
async def test_a_bad_object_fails_its_month_by_name_and_no_other(damage: str, world: World, tmp_path: Path):
    sound = await world.table("acme")
    key = sound.months["2026-09"].objects[0].key
    s3 = world.cloud.client("s3")
    stored = s3.get_object(Bucket=world.bucket, Key=key)["Body"].read()
    if damage == "other columns":
        duckdb.sql(f"COPY (SELECT 1 AS x) TO '{tmp_path}/x.parquet' (FORMAT parquet)")
    bad = {
        "truncated": stored[: len(stored) // 2],
        "not parquet": b"PAR1" + bytes(100) + b"PAR1",
        "other columns": (tmp_path / "x.parquet").read_bytes() if damage == "other columns" else b"",
    }[damage]
    table = await _with_object(world, sound, "2026-09", bad)
    with pytest.raises(DataFault, match="dataset usage of tenant acme, month 2026-09 cannot be read"):
        await world.duckdb.query(SUM, [], {"usage": table}, aws=world.caller("acme"))
    well = Table(USAGE, "acme", {"2026-08": table.months["2026-08"]})
    assert (await world.duckdb.query(SUM, [], {"usage": well}, aws=world.caller("acme"))).rows


async def _with_object(world: World, table: Table, month: str, content: bytes) -> Table:
    entry = table.months[month]
    key = entry.objects[0].key.replace("part-0", "part-bad")
    etag = world.cloud.client("s3").put_object(Bucket=world.bucket, Key=key, Body=content)["ETag"].strip('"')
    bad = replace(entry.objects[0], key=key, size=len(content), etag=etag)
    return Table(table.dataset, table.tenant, {**table.months, month: replace(entry, objects=(bad,))})


async def test_a_file_damaged_on_this_disk_heals_at_the_next_question(world: World):
    tables: Mapping[str, Table] = {"usage": await world.table("globex")}
    globex = world.caller("globex")
    first = await world.duckdb.query(SUM, [], tables, aws=globex)
    ref = tables["usage"].months["2026-09"].objects[0]
    async with world.cache.pinned(globex, world.bucket, [ref]) as files:
        files[ref.key].write_bytes(bytes(ref.size))
    with pytest.raises(DataFault):
        await world.duckdb.query(SUM, [], tables, aws=globex)
    assert (await world.duckdb.query(SUM, [], tables, aws=globex)).rows == first.rows


async def test_an_object_replaced_behind_its_manifest_is_named_and_the_manifest_read_anew(world: World):
    sound = await world.table("acme")
    entry = sound.months["2026-09"]
    old = replace(entry, objects=(replace(entry.objects[0], etag="0" * 32),))
    caller = world.caller("acme")
    with pytest.raises(DataFault, match="month 2026-09 is not what its manifest says"):
        await world.duckdb.query(SUM, [], {"usage": Table(USAGE, "acme", {"2026-09": old})}, aws=caller)
    await world.reader.committed(caller, "usage", "acme")
    assert caller.calls[-1][0] == "get_object"


async def test_a_fault_of_the_query_is_no_fault_of_the_data(world: World):
    with pytest.raises(duckdb.BinderException):
        tables = {"usage": await world.table("acme")}
        await world.duckdb.query("SELECT nothing FROM usage", [], tables, aws=world.caller("acme"))


async def test_a_cancelled_query_ends_on_its_thread_and_leaves_the_engine_free(world: World):
    engine = DuckDbEngine(world.reader, world.cache, DuckDbLimits(concurrent=1))
    tables = {"usage": await world.table("acme")}
    with anyio.fail_after(5):
        with anyio.move_on_after(0.3) as scope:
            await engine.query(CROSS, [], tables, aws=world.caller("acme"))
        assert scope.cancelled_caught
        assert (await engine.query(SUM, [], tables, aws=world.caller("acme"))).rows


async def test_a_slow_query_is_ended_and_unavailable(world: World):
    engine = DuckDbEngine(world.reader, world.cache, DuckDbLimits(timeout_seconds=0.3))
    with anyio.fail_after(5), pytest.raises(Unavailable, match="too long"):
        await engine.query(CROSS, [], {"usage": await world.table("acme")}, aws=world.caller("acme"))


async def test_a_query_that_needs_more_memory_than_it_may_is_unavailable(world: World):
    engine = DuckDbEngine(world.reader, world.cache, DuckDbLimits(memory="20MB"))
    sql = "SELECT a.range % 9999991 AS k, count(*) FROM range(9000000) a, usage GROUP BY 1 ORDER BY 2 LIMIT 1"
    with pytest.raises(Unavailable, match="memory"):
        await engine.query(sql, [], {"usage": await world.table("acme")}, aws=world.caller("acme"))


class EndlessAthena:
    """An Athena whose query never ends; it records what it was told. The emulator's queries end at once."""

    tenant = "acme"

    def __init__(self) -> None:
        self.told: list[str] = []

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        self.told.append(operation)
        if operation == "get_query_execution":
            return {"QueryExecution": {"Status": {"State": "RUNNING"}}}
        return {"QueryExecutionId": "q-1"}


async def test_a_query_nobody_waits_for_is_stopped_in_athena(world: World):
    endless = EndlessAthena()
    settings = AthenaSettings(DATABASE, "primary", "s3://engines/athena-results/", timeout_seconds=0.25)
    tables = {"usage": await world.table("acme")}
    with pytest.raises(Unavailable):
        await AthenaEngine(settings).query(SUM, [], tables, aws=endless)
    assert endless.told[-1] == "stop_query_execution"
    endless.told.clear()
    with anyio.move_on_after(0.05):
        await world.athena.query(SUM, [], tables, aws=endless)
    assert endless.told[-1] == "stop_query_execution"


class ScriptedAthena:
    """An Athena that tells these states of a query, one each time it is asked, in the shapes of its API."""

    def __init__(self, tenant: str | None, *states: dict[str, Any]) -> None:
        self.tenant = tenant
        self.told: list[tuple[str, dict[str, Any]]] = []
        self._states = list(states)

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        model = Session().get_service_model(service)
        shape = model.operation_model("".join(word.capitalize() for word in operation.split("_"))).input_shape
        assert shape is not None and not ParamValidator().validate(parameters, shape).has_errors()
        self.told.append((operation, parameters))
        match operation:
            case "start_query_execution":
                return {"QueryExecutionId": "q-1"}
            case "get_query_execution":
                return {"QueryExecution": self._states.pop(0)}
            case _:
                column = {"Name": "n", "Type": "bigint"}
                rows = [{"Data": [{"VarCharValue": "n"}]}, {"Data": [{"VarCharValue": "7"}]}]
                return {"ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": [column]}}}

    @property
    def started(self) -> dict[str, Any]:
        """What the query was started with."""
        return self.told[0][1]


def state(name: str, scanned: int = 0, *, reused: bool = False, reason: str = "") -> dict[str, Any]:
    statistics = {"DataScannedInBytes": scanned, "ResultReuseInformation": {"ReusedPreviousResult": reused}}
    return {"Status": {"State": name, "StateChangeReason": reason}, "Statistics": statistics}


async def asked_of(world: World, athena: ScriptedAthena, **settings: Any) -> Result:
    engine = AthenaEngine(AthenaSettings(DATABASE, "primary", "s3://engines/athena-results/", **settings))
    tables = {"usage": await world.table(athena.tenant, months=("2026-09",))}
    return await engine.query("SELECT count(*) AS n FROM usage", [], tables, aws=athena)


async def test_what_athena_read_and_reused_is_counted_for_the_call_it_is_of(world: World):
    with counting_scans() as scans:
        ran = await asked_of(world, ScriptedAthena(None, state("RUNNING", 5_000), state("SUCCEEDED", 12_345)))
        reused = await asked_of(world, ScriptedAthena(None, state("SUCCEEDED", reused=True)))
    assert (ran.scanned_bytes, ran.reused) == (12_345, False)
    assert (reused.scanned_bytes, reused.reused) == (0, True)
    assert (scans.queries, scans.bytes, scans.reused) == (2, 12_345, 1)


async def test_a_query_over_the_workgroups_limit_says_to_ask_for_less(world: World):
    over = state("CANCELLED", 10 << 30, reason="Query cancelled! : Bytes scanned limit was exceeded")
    with pytest.raises(InvalidArgument, match="shorter period"):
        await asked_of(world, ScriptedAthena("acme", over))


async def test_a_query_that_reads_more_than_our_own_limit_is_stopped_while_it_runs(world: World):
    athena = ScriptedAthena("acme", state("RUNNING", 10), state("RUNNING", 2_000))
    with pytest.raises(InvalidArgument, match="shorter period"):
        await asked_of(world, athena, most_bytes=1_000)
    assert athena.told[-1] == ("stop_query_execution", {"QueryExecutionId": "q-1"})
    done = await asked_of(world, ScriptedAthena("acme", state("SUCCEEDED", 2_000)), most_bytes=1_000)
    assert done.rows == [(7,)]  # what was read and paid for is not thrown away


async def test_an_earlier_result_serves_the_fleet_alone_and_only_of_the_runs_that_are_committed(world: World):
    """Athena reuses by text, workgroup and place of results; a tenant's place is its own, so it reuses nothing."""
    fleet, acme = ScriptedAthena(None, state("SUCCEEDED")), ScriptedAthena("acme", state("SUCCEEDED"))
    for athena in (fleet, acme):
        await asked_of(world, athena, reuse_minutes=90)
        assert "\"run\" = 'r1'" in athena.started["QueryString"]
    age = {"Enabled": True, "MaxAgeInMinutes": 90}
    assert fleet.started["ResultReuseConfiguration"] == {"ResultReuseByAgeConfiguration": age}
    assert "ResultConfiguration" not in fleet.started
    assert acme.started["ResultConfiguration"]["OutputLocation"].endswith("/athena-results/tenant_id=acme/")
    assert "ResultReuseConfiguration" not in acme.started
    never = ScriptedAthena(None, state("SUCCEEDED"))
    await asked_of(world, never, reuse_minutes=0)
    assert never.started["ResultConfiguration"]["OutputLocation"].endswith("/athena-results/provider/")
    assert "ResultReuseConfiguration" not in never.started


async def test_two_tenants_never_ask_in_one_text(world: World):
    """Whatever Athena takes to be the same query: each text names its tenant, where there is anything to read."""
    texts: set[str] = set()
    for tenant in ("acme", "globex", None):
        athena = ScriptedAthena(tenant, state("SUCCEEDED"))
        await asked_of(world, athena)
        texts.add(athena.started["QueryString"])
    assert len(texts) == 3


async def test_a_statement_longer_than_athena_takes_is_refused_unasked(world: World):
    athena = ScriptedAthena("acme")
    long = "SELECT count(*) AS n FROM usage WHERE metric IN (" + ", ".join(["'requests'"] * 25_000) + ")"
    engine = AthenaEngine(AthenaSettings(DATABASE, "primary", "s3://engines/athena-results/"))
    with pytest.raises(InvalidArgument, match="fewer"):
        await engine.query(long, [], {"usage": await world.table("acme")}, aws=athena)
    assert athena.told == []


async def test_athena_down_is_unavailable(world: World):
    with world.cloud.control.faults({"service": "athena", "kind": "error"}), pytest.raises(Unavailable):
        await world.athena.query(SUM, [], {"usage": await world.table("acme")}, aws=world.caller("acme"))


async def test_with_s3_down_cached_months_still_answer(world: World):
    tables = {"usage": await world.table("acme")}
    before = await world.duckdb.query(SUM, [], tables, aws=world.caller("acme"))
    with world.cloud.control.faults({"service": "s3", "kind": "error"}):
        world.clock.now += timedelta(minutes=5)
        table = await world.table("acme")
        assert table.stale_since is not None
        result = await world.duckdb.query(SUM, [], {"usage": table}, aws=world.caller("acme"))
    assert result.rows == before.rows
    assert result.stale_since == table.stale_since


@pytest.mark.parametrize(
    "dataset",
    [
        schemas.USAGE,
        schemas.FEATURE_USAGE,
        schemas.LLM_USAGE,
        schemas.REVENUE,
        schemas.ALLOCATED_COST,
        schemas.MARGIN,
        schemas.SEGMENTS,
    ],
    ids=lambda dataset: dataset.name,
)
def test_the_deployed_tables_have_the_columns_of_the_dataset(dataset: schemas.Dataset):
    deployed = {
        table["Name"]: {one["Name"].lower(): one["Type"] for one in table["StorageDescriptor"]["Columns"]}
        for table in glue_tables("b")
    }
    columns = {name.lower(): "string" if kind == "VARCHAR" else kind.lower() for name, kind in dataset.columns.items()}
    assert deployed[dataset.name] == columns
    assert deployed[f"fleet_{dataset.name}"] == {**columns, "tenant_id": "string"}
