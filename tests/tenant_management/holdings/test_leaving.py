"""Every store alike: what is held is told, erased in every version and row, and nobody else loses a byte."""

import anyio
import pytest
from fixtures.store_contents import rows_of
from tenant_management.holdings.world import (
    ALIKE,
    LEAVER,
    PARTS,
    everything_but,
    keys_of,
    log_groups,
    ticking,
    versions,
)
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.results.errors import Conflict
from tenantscope_core.stores.aws import OtherTenant
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.sources.holdings.cache import Cache
from tenantscope_tenant_management.sources.holdings.database import Database
from tenantscope_tenant_management.sources.holdings.export_folder import ExportFolder
from tenantscope_tenant_management.sources.holdings.holding import Holding
from tenantscope_tenant_management.sources.holdings.logs import Logs
from tenantscope_tenant_management.sources.holdings.objects import Objects

ALL = tuple(PARTS)


def in_small_steps(sandbox: Sandbox, name: str) -> Holding:
    """A store whose every piece of work is small, and whose time is over after one."""
    steps: dict[str, Holding] = {
        "objects": Objects(sandbox.bucket, clock=ticking()),
        "database": Database(
            sandbox.postgres_dsn, ("memory", "semantic_cache"), clock=ticking(), part_bytes=2_000, batch_rows=7
        ),
        "cache": Cache(sandbox.valkey_lifecycle_url, clock=ticking(), scan_keys=10),
        "logs": Logs(clock=ticking(), part_bytes=100),
    }
    return steps[name]


@pytest.mark.parametrize("name", ALL)
async def test_what_is_held_is_told_by_kind(town: Sandbox, aws: TenantSession, stores: dict[str, Holding], name: str):
    held = await stores[name].held(aws, LEAVER)
    assert (held.store, dict(held.parts), held.count) == (name, PARTS[name], sum(PARTS[name].values()))


@pytest.mark.requirement("erased-and-read-back")
async def test_after_erasing_nothing_of_the_one_is_left_and_nobody_else_lost_a_byte(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding]
):
    before = everything_but(town, LEAVER)
    for store in stores.values():
        assert await store.erase(aws, LEAVER, seconds=30)
        assert (await store.held(aws, LEAVER)).count == 0
    assert everything_but(town, LEAVER) == before
    assert [one["Key"] for one in versions(town) if f"tenant_id={LEAVER}/" in one["Key"]] == []
    assert log_groups(town, f"/tenantscope/tenants/{LEAVER}/") == []
    assert keys_of(town, LEAVER) == []
    assert rows_of(town, LEAVER) == {}
    assert len(before["objects"]) > 6 * len(ALIKE)


@pytest.mark.parametrize("name", ALL)
async def test_erasing_twice_or_what_never_was_is_as_good_as_once(
    vacant: Sandbox, aws: TenantSession, stores: dict[str, Holding], name: str
):
    assert await stores[name].erase(aws, LEAVER, seconds=30)
    assert await stores[name].erase(aws, LEAVER, seconds=30)


@pytest.mark.parametrize("name", ALL)
async def test_an_erasure_whose_time_is_over_stops_and_ends_the_same_when_it_is_called_again(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding], name: str
):
    before, store = everything_but(town, LEAVER), in_small_steps(town, name)
    calls = 1
    while not await store.erase(aws, LEAVER, seconds=0):
        calls += 1
        assert calls < 100
    assert calls > 1
    held = await stores[name].held(aws, LEAVER)
    assert dict(held.parts) == {}
    assert everything_but(town, LEAVER) == before


@pytest.mark.parametrize("name", ALL)
async def test_an_erasure_that_was_killed_is_ended_by_another_process(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding], name: str
):
    """Each is cancelled a little later than the one before, until one is not; the last knows nothing of them."""
    before, killed = everything_but(town, LEAVER), 0
    for milliseconds in range(1, 10_000, 5):
        with anyio.move_on_after(milliseconds / 1000) as scope:
            await in_small_steps(town, name).erase(aws, LEAVER, seconds=30)
        if not scope.cancelled_caught:
            break
        killed += 1
    assert killed
    assert await stores[name].erase(aws, LEAVER, seconds=30)
    assert (await stores[name].held(aws, LEAVER)).count == 0
    assert everything_but(town, LEAVER) == before


@pytest.mark.parametrize("name", ALL)
async def test_a_tenant_cannot_come_where_something_of_an_earlier_one_is(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding], name: str
):
    before = everything_but(town, "nobody")
    with pytest.raises(Conflict, match="of an earlier tenant with this id are still there"):
        await stores[name].prepare(aws, LEAVER)
    assert everything_but(town, "nobody") == before


@pytest.mark.parametrize("name", ALL)
async def test_what_a_new_tenant_needs_is_made_once_and_taken_back(
    vacant: Sandbox, aws: TenantSession, stores: dict[str, Holding], name: str
):
    before = everything_but(vacant, "nobody")
    told = await stores[name].prepare(aws, LEAVER)
    made = everything_but(vacant, "nobody")
    assert await stores[name].prepare(aws, LEAVER) == told
    assert everything_but(vacant, "nobody") == made
    assert (made == before) == (name in ("database", "logs"))
    await stores[name].unprepare(aws, LEAVER)
    await stores[name].unprepare(aws, LEAVER)
    assert everything_but(vacant, "nobody") == before


@pytest.mark.parametrize("name", ALL)
async def test_every_store_says_what_is_out_of_its_reach(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding], name: str
):
    kept = await stores[name].kept(aws, LEAVER)
    assert kept
    assert all(sentence.endswith(".") for sentence in kept)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("other", ["initech_corp", "acme"])
async def test_a_session_of_another_tenant_is_refused_before_a_store_is_asked(
    town: Sandbox, aws: TenantSession, stores: dict[str, Holding], name: str, other: str
):
    store, mark = stores[name], town.emulator.mark()
    folder = ExportFolder(aws, town.bucket, "x")
    for work in (
        store.prepare(aws, other), store.unprepare(aws, other), store.held(aws, other), store.kept(aws, other),
        store.erase(aws, other, seconds=1), store.export(aws, other, folder, seconds=1),
    ):  # fmt: skip
        with pytest.raises(OtherTenant):
            await work
    assert town.emulator.requests(mark) == []
