"""The registry's switch, thrown while a tenant is being served."""

from datetime import UTC, datetime, timedelta

import pytest
from catalogue import StandingServer
from contract.calls import some_call
from fixtures.serving import answer_of, call_of, environment_of, serve
from fixtures.small_company import CROWD, as_item, registered
from tenantscope_core.admission.standing import FRESH_FOR
from tenantscope_sandbox import Sandbox


class MovingClock:
    """The time, further on when a test says so."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.mark.requirement("suspended-refused")
@pytest.mark.parametrize(
    "switched", [{"status": "Suspended"}, {"status": "Active", "sbtaws_active": False}], ids=["status", "soft delete"]
)
async def test_a_tenant_suspended_while_it_works_is_refused_soon_and_served_again_when_it_is_active(
    server: StandingServer, small_company: Sandbox, switched: dict[str, str]
):
    """Its session at STS is still good and its registry entry still fresh; neither keeps it in for longer."""
    tenant, clock = CROWD[-1], MovingClock()
    dynamodb = small_company.client("dynamodb")

    def register(status: str = "Active", **attributes: object) -> None:
        item = as_item(registered(tenant, status, **attributes))
        dynamodb.put_item(TableName=small_company.table, Item=item)

    async with serve(server.spec, environment_of(server, small_company), small_company, clock=clock) as served:

        async def code() -> str | None:
            result = answer_of(await served.post(call_of(some_call(served.spec)), served.token(tenant)))["result"]
            return result["_meta"]["io.tenantscope/error"]["code"] if result.get("isError") else None

        try:
            assert await code() != "tenant_suspended"
            register(**switched)
            clock.ahead += FRESH_FOR
            assert await code() == "tenant_suspended"
            register()
            clock.ahead += FRESH_FOR
            assert await code() != "tenant_suspended"
        finally:
            register()
