"""Every server adds to what is known of each tenant's use, for all servers together."""

from datetime import UTC, datetime

import pytest
from catalogue import StandingServer
from contract.calls import arguments_for, audiences, some_call
from fixtures.serving import call_of, environment_of, serve
from tenantscope_core.identity.caller import Audience
from tenantscope_core.metering.use import MeteredUse, read_use
from tenantscope_core.stores.valkey import ValkeyStore
from tenantscope_sandbox import Sandbox

pytestmark = pytest.mark.requirement("use-metered")

METERED = "crowd-150"


async def use_of(sandbox: Sandbox) -> MeteredUse:
    async with ValkeyStore(sandbox.valkey_url) as store:
        use = await read_use(store, METERED, datetime.now(UTC))
    assert use is not None
    return use


async def test_a_tenants_calls_are_counted_by_whichever_server_and_told_when_it_stops_at_the_latest(
    server: StandingServer, small_company: Sandbox
):
    before = await use_of(small_company)
    began = datetime.now(UTC)
    async with serve(server.spec, environment_of(server, small_company), small_company) as served:
        for arguments in ({}, {}, {"nonsense": 1}):
            await served.post(call_of(some_call(server.spec), arguments), served.token(METERED))
    after = await use_of(small_company)
    assert after.calls_this_month == before.calls_this_month + 3
    assert after.refused_this_month > before.refused_this_month
    assert after.milliseconds_this_month > before.milliseconds_this_month
    assert after.last_call is not None
    assert began.replace(microsecond=0) <= after.last_call <= datetime.now(UTC)
    assert after.running_now == 0


async def test_the_provider_at_work_on_a_tenant_does_not_make_it_active(server: StandingServer, small_company: Sandbox):
    naming = [tool for tool in audiences(server.spec, Audience.PROVIDER) if tool.names_tenant != "no"]
    before = await use_of(small_company)
    async with serve(server.spec, environment_of(server, small_company), small_company) as served:
        for tool in naming:
            if tool.effects.read_only:
                given = {**arguments_for(tool, Audience.PROVIDER), "tenant_id": METERED}
                await served.post(call_of(tool.name, given), served.token(None))
    after = await use_of(small_company)
    assert after.last_call == before.last_call
    assert (after.calls_this_month > before.calls_this_month) == bool(naming)
