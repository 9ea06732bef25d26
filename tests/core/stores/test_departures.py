"""Tenants that leave: no job writes anything of theirs again, whatever is on its way, nor while it is not known."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from core.stores.datasets import parts, usage_row
from fixtures.clock import Clock
from fixtures.stores import Cloud, SignedCaller
from tenantscope_core.results.errors import NotPermitted, NotSetUp, ToolFailure, Unavailable
from tenantscope_core.results.periods import Month
from tenantscope_core.stores.aws import AwsCaller, OtherTenant
from tenantscope_core.stores.datasets import fetch_manifest
from tenantscope_core.stores.departures import FRESH_FOR, NO_REGISTRY, Departures
from tenantscope_core.stores.layout import manifest_key
from tenantscope_core.stores.rollup import Commits, Outcome, Request, Rolled
from tenantscope_core.stores.schemas import USAGE

SEPTEMBER = Month(2026, 9)
ROWS = {
    "acme": [usage_row("2026-09-01", "requests", "5")],
    "globex": [usage_row("2026-09-01", "requests", "7")],
    "initech": [usage_row("2026-09-01", "requests", "9")],
}
LEFT = (
    "Offboarding", "offboarding", "Offboarded", "offboarded", "Deleting", "deleted", "Deleted", "Deprovisioned",
    "deprovisioning", "Inactive",
)  # fmt: skip
SWITCHED_OFF_AND_STAYING = ("Suspended", "Deactivated", "Pending", "In Progress", "Failed")
STAYING = ("Active", "active", "Trial", "Created", "Complete", *SWITCHED_OFF_AND_STAYING)


class Registry:
    """A tenant table of one test, with its index of statuses."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.name = name
        self._dynamodb = cloud.client("dynamodb")
        names = ("tenantId", "tenantStatus", "tenantName")
        self._dynamodb.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in names],
            KeySchema=[{"AttributeName": "tenantId", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[{
                "IndexName": "byStatus", "Projection": {"ProjectionType": "ALL"},
                "KeySchema": [
                    {"AttributeName": "tenantStatus", "KeyType": "HASH"},
                    {"AttributeName": "tenantName", "KeyType": "RANGE"},
                ],
            }],
        )  # fmt: skip

    def put(self, tenant: str, status: str, **switches: bool) -> None:
        item = {"tenantId": {"S": tenant}, "tenantName": {"S": f"{tenant} Ltd"}, "tenantStatus": {"S": status}}
        self._dynamodb.put_item(TableName=self.name, Item=item | {name: {"BOOL": on} for name, on in switches.items()})


class Watched:
    """Calls of the fleet; `before` sees each, and may do something."""

    tenant = None

    def __init__(self, caller: AwsCaller) -> None:
        self._caller = caller
        self.before: Callable[[str, dict[str, Any]], None] = lambda operation, parameters: None

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        self.before(operation, parameters)
        return await self._caller.call(service, operation, **parameters)


class Job:
    """Commits of one month to a bucket, by what the registry says."""

    def __init__(self, cloud: Cloud, bucket: str, registry: Registry, folder: Path) -> None:
        self.cloud, self.bucket, self.registry, self.folder = cloud, bucket, registry, folder
        self.clock = Clock()
        self.said: list[str] = []
        self.aws = Watched(cloud.fleet())

    def commits(self, registry: str | None = "") -> Commits:
        table = self.registry.name if registry == "" else registry
        return Commits(self.aws, self.bucket, done_when=USAGE, registry=table, clock=self.clock, say=self.said.append)

    async def run(self, inputs: str, rows: dict[str, Any] = ROWS, registry: str | None = "") -> Outcome:
        tenants, fleet = parts(self.folder / inputs, USAGE, rows)
        commits = self.commits(registry)

        async def one(month: Month) -> Outcome:
            await commits.commit(month, inputs, [Rolled(USAGE, fleet, tenants)], force=False)
            return Outcome.COMMITTED

        return (await commits.each_month(Request(), [SEPTEMBER], one, what="log"))[SEPTEMBER]

    def keys(self, tenant: str | None = None) -> dict[str, str]:
        """Objects by key with their ETags, of one tenant or all."""
        stored = self.cloud.client("s3").list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {one["Key"]: one["ETag"] for one in stored if tenant is None or f"/tenant_id={tenant}/" in one["Key"]}

    async def fleet_rows(self) -> int:
        manifest, _ = await fetch_manifest(self.cloud.fleet(), self.bucket, "usage", None)
        return sum(ref.rows for ref in manifest.months[str(SEPTEMBER)].objects)


@pytest.fixture
def registry(cloud: Cloud, bucket: str) -> Registry:
    registry = Registry(cloud, f"tenants-{bucket}")
    for tenant in ROWS:
        registry.put(tenant, "Active")
    return registry


@pytest.fixture
def job(cloud: Cloud, bucket: str, registry: Registry, tmp_path: Path) -> Job:
    return Job(cloud, bucket, registry, tmp_path)


def departures(aws: AwsCaller, registry: Registry, clock: Clock | None = None) -> Departures:
    return Departures(aws, registry.name, clock=clock or Clock(), say=print)


async def test_who_has_left_is_known_by_every_spelling_and_by_the_soft_delete(cloud: Cloud, registry: Registry):
    for number, status in enumerate(LEFT):
        registry.put(f"left-{number}", status, sbtaws_active=False)
    for number, status in enumerate(STAYING):
        registry.put(f"stays-{number}", status)
    for number, status in enumerate(SWITCHED_OFF_AND_STAYING):
        registry.put(f"stays-off-{number}", status, sbtaws_active=False, isActive=False)
    registry.put("off-1", "Active", sbtaws_active=False)
    registry.put("off-2", "created", isActive=False)
    registry.put("on", "Active", sbtaws_active=True, isActive=True)
    known = departures(cloud.fleet(), registry)
    assert await known.read() == {f"left-{number}" for number in range(len(LEFT))} | {"off-1", "off-2"}
    assert await known.has_left("off-1")
    assert not await known.has_left("on")


async def test_many_that_left_are_read_page_by_page(cloud: Cloud, registry: Registry):
    class SmallPages(Watched):
        async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
            return await super().call(service, operation, **parameters, Limit=2)

    for number in range(7):
        registry.put(f"left-{number}", "Offboarded")
        registry.put(f"off-{number}", "Active", sbtaws_active=False)
    assert len(await departures(SmallPages(cloud.fleet()), registry).read()) == 14


async def test_statuses_are_asked_again_after_half_a_minute_and_not_before(cloud: Cloud, registry: Registry):
    aws, clock = cloud.fleet(), Clock()
    known = departures(aws, registry, clock)
    await known.read()
    registry.put("globex", "Offboarding")
    asked = len(aws.calls)
    clock.advance(FRESH_FOR.total_seconds() - 1)
    assert not await known.has_left("globex")
    assert len(aws.calls) == asked
    clock.advance(1)
    assert await known.has_left("globex")


async def test_a_tenant_that_has_left_is_not_written_and_the_fleet_keeps_its_rows(job: Job):
    job.registry.put("globex", "Offboarded", sbtaws_active=False)
    job.registry.put("initech", "Suspended", sbtaws_active=False)
    assert await job.run("one") is Outcome.COMMITTED
    assert job.keys("globex") == {}
    assert len(job.keys("acme")) == len(job.keys("initech")) == 2
    assert await job.fleet_rows() == 3
    assert "2026-09: 1 tenants are leaving or have left: theirs is not written, the fleet's is" in job.said


async def test_what_a_tenant_that_leaves_still_has_is_neither_changed_nor_swept(job: Job):
    await job.run("one")
    before = job.keys("globex")
    job.registry.put("globex", "Offboarding")
    await job.run("two")
    without = {"acme": ROWS["acme"], "initech": ROWS["initech"]}
    await job.run("three", without)  # one who had rows and has none would be committed with none
    assert job.keys("globex") == before
    stray = f"{manifest_key('usage', 'globex').rpartition('/')[0]}/month=2026-09/run=x/part-0.parquet"
    s3 = job.cloud.client("s3")
    for key in (stray, stray.replace("globex", "acme")):
        s3.put_object(Bucket=job.bucket, Key=key, Body=b"x")
    newest = max(one["LastModified"] for one in s3.list_objects_v2(Bucket=job.bucket)["Contents"])
    job.clock.now = newest + timedelta(days=2)
    assert await job.commits().sweep([USAGE]) == 6 + 1  # two old runs of two tenants and the fleet, and a stray
    assert job.keys("globex") == {**before, stray: job.keys("globex")[stray]}


@pytest.mark.parametrize("last_seen", [None, "globex"], ids=["before its object", "before its manifest"])
async def test_a_tenant_that_leaves_during_a_commit_gets_nothing_more(job: Job, last_seen: str | None):
    def leaves(operation: str, parameters: dict[str, Any]) -> None:
        if operation == "get_object" and parameters["Key"] == manifest_key("usage", last_seen):
            job.aws.before = lambda operation, parameters: None
            job.registry.put("globex", "Offboarding")
            for key in job.keys("globex"):
                job.cloud.client("s3").delete_object(Bucket=job.bucket, Key=key)
            job.clock.advance(FRESH_FOR.total_seconds())

    job.aws.before = leaves
    assert await job.run("one") is Outcome.COMMITTED
    assert job.keys("globex") == {}
    assert await job.fleet_rows() == 3
    assert len(job.keys("acme")) == 2


FAULTS: tuple[tuple[dict[str, Any], type[ToolFailure], str], ...] = (
    ({"kind": "error"}, Unavailable, "does not answer"),
    ({"kind": "disconnect"}, Unavailable, "does not answer"),
    ({"kind": "error", "status": 400, "code": "AccessDeniedException"}, NotPermitted, "may not query"),
    ({"kind": "error", "status": 400, "code": "ResourceNotFoundException"}, NotSetUp, "index byStatus"),
    ({"kind": "error", "status": 400, "code": "ValidationException"}, NotSetUp, "index byStatus"),
)


@pytest.mark.parametrize(("fault", "failure", "sentence"), FAULTS)
async def test_while_the_registry_does_not_tell_a_job_does_not_begin(
    job: Job, fault: dict[str, Any], failure: type[ToolFailure], sentence: str
):
    with job.cloud.control.faults({"service": "dynamodb", **fault}), pytest.raises(failure, match=sentence) as told:
        await job.run("one")
    assert "nothing is written" in told.value.sentence
    assert job.registry.name not in told.value.sentence
    assert job.keys() == {}


async def test_a_registry_that_fails_before_a_month_fails_the_month_and_changes_nothing(job: Job):
    await job.run("one")
    before = job.keys()
    tenants, fleet = parts(job.folder / "two", USAGE, ROWS)
    commits = job.commits()

    async def one(month: Month) -> Outcome:
        with job.cloud.control.faults({"service": "dynamodb", "kind": "error"}):
            await commits.commit(month, "two", [Rolled(USAGE, fleet, tenants)], force=False)
        return Outcome.COMMITTED

    assert await commits.each_month(Request(), [SEPTEMBER], one, what="log") == {SEPTEMBER: Outcome.FAILED}
    assert job.keys() == before
    assert "failed: The tenant registry does not answer" in job.said[-1]
    with job.cloud.control.faults({"service": "dynamodb", "kind": "error"}), pytest.raises(Unavailable):
        await commits.sweep([USAGE])


async def test_a_registry_that_fails_during_a_commit_leaves_the_fleet_as_it_was(job: Job):
    await job.run("one")
    manifest = job.keys()[manifest_key("usage", None)]

    def fails(operation: str, parameters: dict[str, Any]) -> None:
        if operation == "put_object":
            job.cloud.control.set_faults({"service": "dynamodb", "kind": "error"})
            job.clock.advance(FRESH_FOR.total_seconds())

    job.aws.before = fails
    assert await job.run("two") is Outcome.FAILED
    assert job.keys()[manifest_key("usage", None)] == manifest


async def test_without_a_registry_all_are_written_and_a_line_says_so(job: Job):
    job.registry.put("globex", "Offboarded")
    assert await job.run("one", registry=None) is Outcome.COMMITTED
    assert job.said.count(NO_REGISTRY) == 1
    assert len(job.keys("globex")) == 2


def test_only_the_fleet_s_credentials_ask(cloud: Cloud, registry: Registry):
    caller: SignedCaller = cloud.tenant("acme")
    with pytest.raises(OtherTenant):
        departures(caller, registry)
