"""A tenant that left stays away: no job of any server brings it back, and the company's books are as they were."""

import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fixtures.serving import Served, content_of
from fixtures.small_company import COSTS, MONTHS, founded, rollup_of
from fixtures.small_prices import BOOK
from isolation.layers import gatekeepers
from metrics_logs.logs import ROUTED, line
from tenant_management.conftest import Ask
from tenant_management.holdings.world import versions
from tenantscope_core.stores.manifests import parse_manifest
from tenantscope_core.tool.path import vend
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.jobs import run_job
from tenantscope_sandbox.processes import PartFailed
from tenantscope_tenant_management.sources.holdings.objects import Objects

LEAVER, SUSPENDED = "globex", "tundra"
CALLERS = ("acme", "acme_corp", "Acme-2", LEAVER, SUSPENDED)
DATASETS = ("usage", "feature_usage", "allocated_cost", "revenue", "margin", "price_book")

Rows = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def small_company() -> Iterator[Sandbox]:
    """A company of this module's own: nothing brings the tenant back for tests after it."""
    with founded() as sandbox:
        yield sandbox


def log(sandbox: Sandbox, name: str, *days: str) -> None:
    """Add to the access log: each of the tenants made a call on each of the days."""
    lines = [line(requestTime=f"{day}T10:00:00Z", path="/v1/search", tenantId=one) for day in days for one in CALLERS]
    body = gzip.compress("".join(f"{one}\n" for one in lines).encode())
    for day in days:
        key = f"raw/access_log/day={day}/{name}.gz"
        sandbox.client("s3").put_object(Bucket=sandbox.bucket, Key=key, Body=body)


def roll_up(sandbox: Sandbox, folder: Path, *words: str, price: Decimal = Decimal(1), book: str = BOOK) -> None:
    """All jobs that write datasets, as every night."""
    rules, prices = folder / "log_rules.yaml", folder / "book.yaml"
    rules.write_text(ROUTED)
    prices.write_text(book)
    command, _ = rollup_of(sandbox, folder, price=price)
    run_job(sandbox, "metrics-logs", "rollup", "--rules", str(rules), *words)
    run_job(sandbox, "pricing", "publish-book", str(prices), "--commit")
    run_job(sandbox, "pricing", "rollup", *words)
    run_job(sandbox, "cost-explorer", *command[1:], *words)


def fleet(sandbox: Sandbox, folder: Path, dataset: str, select: str = "FROM rows") -> Rows:
    """A query over the fleet's committed rows of each month, in order."""
    s3 = sandbox.client("s3")

    def read(key: str) -> bytes:
        return s3.get_object(Bucket=sandbox.bucket, Key=key)["Body"].read()

    manifest = parse_manifest(read(f"fleet/{dataset}/_manifest.json"), dataset, None)
    found: Rows = {}
    with duckdb.connect() as connection:
        for month, commit in manifest.months.items():
            (ref,) = commit.objects
            file = folder / "read.parquet"
            file.write_bytes(read(ref.key))
            found[month] = connection.execute(f"WITH rows AS (FROM '{file}') {select} ORDER BY ALL").fetchall()
    return found


def others_partitions(sandbox: Sandbox) -> dict[tuple[str, str, str], str]:
    """ETags of what the other tenants have now, by dataset, tenant and month."""
    found: dict[tuple[str, str, str], str] = {}
    for one in sorted(versions(sandbox), key=lambda one: one["LastModified"]):
        folders = one["Key"].split("/")
        if folders[0] == "datasets" and folders[-1].endswith(".parquet") and one["IsLatest"]:
            found[folders[1], folders[2], folders[3]] = one["ETag"]
    return {place: etag for place, etag in found.items() if place[1] != f"tenant_id={LEAVER}"}


def left_of(sandbox: Sandbox) -> list[str]:
    """Every version and marker below any prefix of the tenant that left."""
    return [one["Key"] for one in versions(sandbox) if f"tenant_id={LEAVER}/" in one["Key"]]


async def test_no_job_brings_a_tenant_back_that_has_left(
    small_company: Sandbox, registry_server: Served, ask: Ask, tmp_path: Path
):
    company = small_company
    log(company, "a", "2026-08-05", "2026-09-05")
    roll_up(company, tmp_path)
    books = {name: fleet(company, tmp_path, name) for name in DATASETS}
    others = others_partitions(company)
    assert left_of(company)

    tried = content_of(await ask("set_tenant_status", tenant_id=LEAVER, action="offboard", dry_run=True))
    asked = {"tenant_id": LEAVER, "action": "offboard", "confirmation": tried["confirmation"], "export": False}
    receipt = content_of(await ask("set_tenant_status", **asked))["receipt"]
    assert next(line["left"] for line in receipt["stores"] if line["store"] == "objects") == 0
    assert left_of(company) == []

    # The same again: nothing of the one, and to the byte what everybody else had.
    roll_up(company, tmp_path, "--force", "--sweep")
    assert left_of(company) == []
    assert {name: fleet(company, tmp_path, name) for name in DATASETS} == books
    assert others_partitions(company) == others

    # Late lines, a bill that has grown, another book: the fleet's figures follow, those of the one with them.
    log(company, "late", "2026-08-06", "2026-09-06")
    price = Decimal("1.1")
    roll_up(company, tmp_path, "--sweep", price=price, book=BOOK.replace('"25.00"', '"26.00"'))
    assert left_of(company) == []
    for month, share in zip(MONTHS, (Decimal("0.5"), Decimal(1)), strict=True):
        paid = "SELECT tenant_id, sum(BilledCost) FROM rows GROUP BY ALL"
        costs = dict(fleet(company, tmp_path, "allocated_cost", paid)[month])
        assert costs[LEAVER] == COSTS[LEAVER] * share * price
        assert sum(costs.values()) == (sum(COSTS.values()) * share + 10) * price
        calls = "SELECT tenant_id, sum(quantity) FROM rows WHERE metric = 'requests' GROUP BY ALL"
        assert dict(fleet(company, tmp_path, "usage", calls)[month]) == dict.fromkeys(CALLERS, 2)
        owed = "SELECT tenant_id, sum(amount) FROM rows GROUP BY ALL"
        assert dict(fleet(company, tmp_path, "revenue", owed)[month])[LEAVER] == 60  # its minimum

    # Who is suspended is no one who leaves.
    own = {place[::2] for place in others_partitions(company) if place[1] == f"tenant_id={SUSPENDED}"}
    assert own >= {("usage", f"month={month}") for month in MONTHS} | {("revenue", "month=2026-08")}

    # What the receipt says is still so.
    assert content_of(await ask("set_tenant_status", tenant_id=LEAVER, action="offboard"))["receipt"] == receipt
    identity = await registry_server.assembly.verifier.identify(registry_server.token(None))
    async with gatekeepers(registry_server) as gate:
        aws = await vend(gate, registry_server.spec.name, identity, LEAVER)
        assert (await Objects(company.bucket).held(aws, LEAVER)).count == 0


async def test_while_the_registry_is_down_no_job_writes_anything(small_company: Sandbox, tmp_path: Path):
    before = sorted(one["VersionId"] for one in versions(small_company))
    with small_company.emulator.faults({"service": "dynamodb", "kind": "error"}):
        for job in (("metrics-logs", "rollup", "--force"), ("pricing", "rollup", "--force")):
            with pytest.raises(PartFailed, match="The tenant registry does not answer, so it is not known"):
                run_job(small_company, *job)
    assert sorted(one["VersionId"] for one in versions(small_company)) == before
