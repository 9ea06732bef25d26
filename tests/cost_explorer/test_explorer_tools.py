"""The server on Cost Explorer's API, as hosts meet it: tokens and sessions real, the API in its recorded shape."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from catalogue import standing_servers
from cost_explorer.explorer_server import Charge, Explorer, tenant_filter
from fixtures.grants import grant
from fixtures.serving import Served, answer_of, call_of, content_of, environment_of, error_fields, serve
from fixtures.sts_server import StsServer, sts_server
from tenantscope_core.credentials.broker import Grant
from tenantscope_core.serving.policies import arn_names, session_policies
from tenantscope_core.serving.settings import WrongSettings, load_settings
from tenantscope_cost_explorer.server import SERVER as SPEC
from tenantscope_cost_explorer.settings import Settings
from tenantscope_sandbox import Sandbox

pytestmark = pytest.mark.requirement("tagged-cost-of-one-tenant")

SERVER = next(one for one in standing_servers() if one.spec.name == "cost-explorer")
S3, EC2 = "Amazon Simple Storage Service", "Amazon Elastic Compute Cloud - Compute"
VIEW = "arn:aws:billing::210000000001:billingview/custom-46f47cb2-a11d-43f3-983d-470b5708a899"
SOURCE = {"TENANTSCOPE_COST_SOURCE": "cost-explorer", "TENANTSCOPE_TENANT_TAG": "TenantId"}

PLAIN = {
    "TENANTSCOPE_ISSUER": "https://issuer.example.com",
    "TENANTSCOPE_AUDIENCE": "https://mcp.example.com",
    "TENANTSCOPE_TENANT_ROLE_ARN": "arn:aws:iam::210000000001:role/tenant",
    "TENANTSCOPE_DATASETS_BUCKET": "datasets",
    "AWS_REGION": "eu-central-1",
}


def this_month() -> date:
    return datetime.now(UTC).date().replace(day=1)


def bill() -> list[Charge]:
    """Of the month before this one, as the clock of the servers is the system's."""
    day = date.fromordinal(this_month().toordinal() - 3)
    tagged = [("acme", S3, "120.50"), ("acme", EC2, "30.10"), ("acme_corp", S3, "61.25"), ("globex", S3, "80.10")]
    own = [Charge(day, service, Decimal(amount), {"TenantId": tenant}) for tenant, service, amount in tagged]
    return [*own, Charge(day, EC2, Decimal("300.00"))]


MONTH = f"{date.fromordinal(this_month().toordinal() - 1):%Y-%m}"


@pytest.fixture
async def api() -> AsyncGenerator[StsServer]:
    async with sts_server(lambda: datetime.now(UTC)) as server:
        server.on_s3 = Explorer(bill(), today=datetime.now(UTC).date())
        yield server


@pytest.fixture
def explorer(api: StsServer) -> Explorer:
    assert isinstance(api.on_s3, Explorer)
    return api.on_s3


@asynccontextmanager
async def served_on(api: StsServer, sandbox: Sandbox, **changes: str) -> AsyncGenerator[Served]:
    given = {**SOURCE, "AWS_ENDPOINT_URL_COST_EXPLORER": api.url, **changes}
    async with serve(SPEC, environment_of(SERVER, sandbox, **given), sandbox) as served:
        yield served


async def ask(served: Served, tenant: str | None, tool: str, **arguments: Any) -> dict[str, Any]:
    async with served.client(served.token(tenant)) as client:
        return content_of(await client.call_tool(tool, arguments))


async def refused(served: Served, tenant: str | None, tool: str, **arguments: Any) -> dict[str, Any]:
    async with served.client(served.token(tenant)) as client:
        return error_fields(await client.call_tool(tool, arguments))


async def test_the_tenant_of_the_token_is_the_tenant_of_the_filter(
    api: StsServer, explorer: Explorer, small_company: Sandbox
):
    async with served_on(api, small_company) as served:
        own = await ask(served, "acme", "get_costs", period=MONTH)
        other = await ask(served, "acme_corp", "get_costs", period=MONTH)
        named = await ask(served, None, "get_costs", period=MONTH, tenant_id="globex")
        argued = answer_of(
            await served.post(call_of("get_costs", {"tenant_id": "globex", "period": MONTH}), served.token("acme"))
        )
    assert argued["result"]["isError"]
    assert [tenant_filter(body, "TenantId") for body in explorer.asked] == [["acme"], ["acme_corp"], ["globex"]]
    (costs,) = own["costs"]
    assert [(row["name"], row["cost"]) for row in costs["rows"]] == [(S3, "120.50"), (EC2, "30.10")]
    assert (costs["total"], own["of"], own["metric"]) == ("150.60", "acme", "AmortizedCost")
    assert costs["methods"] == [{"method": "direct", "cost": "150.60", "percent": 100.0}]
    assert (other["costs"][0]["total"], named["costs"][0]["total"]) == ("61.25", "80.10")
    assert own["source"]["api_requests"] == 1
    assert own["source"]["api_cost_usd"] == "0.01"


async def test_the_provider_ranks_tenants_by_the_tag_and_pages_without_paying_again(
    api: StsServer, explorer: Explorer, small_company: Sandbox
):
    async with served_on(api, small_company) as served:
        first = await ask(served, None, "rank_tenants_by_cost", period=MONTH, limit=2)
        second = await ask(served, None, "rank_tenants_by_cost", period=MONTH, limit=2, cursor=first["next_cursor"])
    assert [(row["tenant_id"], row["total"]) for row in first["rows"]] == [("acme", "150.60"), ("globex", "80.10")]
    assert [(row["tenant_id"], row["shared"]) for row in second["rows"]] == [("acme_corp", "0.00")]
    assert (first["bill"], first["residual"]) == ("591.95", "300.00")
    assert (first["source"]["api_requests"], second["source"]["api_requests"]) == (1, 0)
    assert second["source"]["cached_at"]
    assert len(explorer.asked) == 1


async def test_every_other_tool_says_that_it_needs_an_export_and_reads_none(
    api: StsServer, explorer: Explorer, small_company: Sandbox
):
    """Though this company's bill is committed in the bucket: two sources are never mixed."""
    others = [tool for tool in SPEC.tools if tool.name not in ("get_costs", "rank_tenants_by_cost")]
    assert others
    async with served_on(api, small_company) as served:
        for tool in others:
            fields = await refused(served, None, tool.name)
            assert fields["code"] == "not_set_up", tool.name
            assert fields["action"] == "ask"
    assert explorer.asked == []


async def test_the_largest_answer_for_ten_thousand_tenants_is_small(
    api: StsServer, explorer: Explorer, small_company: Sandbox
):
    day = date.fromordinal(this_month().toordinal() - 3)
    explorer.bill = [Charge(day, S3, Decimal(n), {"TenantId": f"tenant-{n:05d}"}) for n in range(1, 10_001)]
    explorer.per_page = 5_000
    async with served_on(api, small_company) as served:
        found = await ask(served, None, "rank_tenants_by_cost", period=MONTH, limit=60)
    assert found["tenant_count"] == 10_000
    assert found["source"]["api_requests"] == 2
    assert found["bill"] == "50005000.00"
    assert len(json.dumps(found)) < 25_000


def test_the_session_policy_opens_the_view_that_the_tenant_is_asked_through_and_no_other(tmp_path: Path):
    """The document that STS is given with a session; the emulator knows no Cost Explorer to try it on."""
    file = tmp_path / "views.json"
    file.write_text(json.dumps({"acme": VIEW}))
    for given, acme, globex in (
        ({}, "none", "none"),
        (SOURCE, "primary", "primary"),
        ({**SOURCE, "TENANTSCOPE_BILLING_VIEWS": str(file)}, VIEW.rpartition("/")[2], "none"),
    ):
        settings = load_settings(Settings, {**PLAIN, **given})
        names = arn_names(settings.tenant_role_arn, settings.aws_region) | settings.policy_names
        policy = session_policies(SPEC.package, names, names_of=settings.policy_names_of)
        for tenant, view in (("acme", acme), ("globex", globex)):
            assert _view(policy(_grant(tenant))) == view
        assert _view(policy(_grant(None))) == ("none" if given == {} else "primary")


@pytest.mark.parametrize(
    ("given", "views", "words"),
    [
        ({"TENANTSCOPE_COST_SOURCE": "cost-explorer"}, None, "TENANTSCOPE_TENANT_TAG"),
        (SOURCE, "{", "JSON file"),
        (SOURCE, "{}", "at least one tenant"),
        (SOURCE, json.dumps({"acme": VIEW, "globex": VIEW}), "no view for two"),
        (SOURCE, json.dumps({"acme/..": VIEW}), "each tenant id"),
        (SOURCE, json.dumps({"acme": VIEW + "*"}), "each tenant id"),
        ({**SOURCE, "TENANTSCOPE_BILLING_VIEW_ARN": "primary"}, None, "TENANTSCOPE_BILLING_VIEW_ARN"),
    ],
)
def test_settings_that_could_open_more_than_a_tenant_do_not_start(
    given: dict[str, str], views: str | None, words: str, tmp_path: Path
):
    if views is not None:
        (tmp_path / "views.json").write_text(views)
        given = {**given, "TENANTSCOPE_BILLING_VIEWS": str(tmp_path / "views.json")}
    with pytest.raises(WrongSettings, match=words):
        load_settings(Settings, {**PLAIN, **given})


def _view(policy: str | None) -> str:
    assert policy is not None
    (statement,) = [one for one in json.loads(policy)["Statement"] if "ce:GetCostAndUsage" in one["Action"]]
    prefix, _, view = statement["Resource"].rpartition("/")
    assert prefix == "arn:aws:billing::*:billingview"
    return view


def _grant(tenant: str | None) -> Grant:
    return grant(tenant, **({"is_provider": True, "subject": "staff"} if tenant is None else {}))
