"""An agent session with the sandbox's company, the servers started over stdio as a host starts them.

The provider asks who its tenants are, what each costs, and whether that ties to the bill; the tenant acme asks for its
own numbers and then for globex's, which two layers refuse in turn. Every figure is compared with the truth that the
company was made from. Exits 0 when all of it is as it should be.
"""

import json
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import anyio
from botocore.exceptions import ClientError
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent
from prepare import BINARIES, prepare, say
from tenantscope_sandbox import Sandbox
from tenantscope_sandbox.state import default_directory

MONTH = "2026-10"
CENT = Decimal("0.01")


class Difference(Exception):
    """The session's answer is not what it should be."""


def ask(who: str, question: str) -> None:
    """Print who asks what."""
    say(f"\n{who}: {question}")


@asynccontextmanager
async def connected(sandbox: Sandbox, server: str, tenant: str | None) -> AsyncGenerator[Client]:
    """A client of a server that runs with a token of a tenant, or of the provider when none is named."""
    environment = sandbox.server_env(server, tenant, tier="growth" if tenant else None, provider=tenant is None)
    command = StdioServerParameters(
        command=str(BINARIES / f"tenantscope-{server}"), env={**environment, "TENANTSCOPE_LOG_LEVEL": "ERROR"}
    )
    async with Client(command) as client:
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured answer of a tool, after showing the call."""
    started = time.perf_counter()
    result = await client.call_tool(tool, arguments)
    shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    say(f"  → {tool}({shown})  {(time.perf_counter() - started) * 1000:.0f} ms")
    if result.is_error or result.structured_content is None:
        raise Difference(f"{tool} failed: {text_of(result)}")
    return result.structured_content


def text_of(result: CallToolResult) -> str:
    """What a model reads of a result."""
    return " ".join(block.text for block in result.content if isinstance(block, TextContent))


def require(same: bool, what: str) -> None:
    """Go on if it is so.

    Raises:
        Difference: It is not.
    """
    if not same:
        raise Difference(what)


def cents(value: str) -> Decimal:
    """An amount of the truth, in cents."""
    return Decimal(value).quantize(CENT)


async def provider_asks(sandbox: Sandbox, truth: dict[str, Any]) -> None:
    """The SaaS company's own agent: the fleet, what it costs, and whether that ties to the bill."""
    ask("provider", "Who are our tenants?")
    async with connected(sandbox, "tenant-management", None) as client:
        page = await call(client, "list_tenants", limit=100)
    tiers = {t["tier"]: sum(u["tier"] == t["tier"] for u in page["tenants"]) for t in page["tenants"]}
    say(f"  {page['count']} tenants: " + ", ".join(f"{count} {tier}" for tier, count in sorted(tiers.items())))
    require(
        {t["tenant_id"] for t in page["tenants"]} == set(truth["tenants"]), "the tenants are not those of the truth"
    )

    month = truth["billing"][MONTH]
    async with connected(sandbox, "cost-explorer", None) as client:
        ask("provider", f"What does each cost us in {MONTH}?")
        ranking = await call(client, "rank_tenants_by_cost", period=MONTH, limit=5)
        for row in ranking["rows"]:
            say(
                f"  {row['rank']}. {row['tenant_id']:<38} {row['total']:>9} {ranking['currency']}"
                f"  ({row['direct']} direct, {row['shared']} shared, {row['percent']:.1f} %)"
            )
        rest = ranking["other"]
        say(f"     {rest['tenants']} others{rest['total']:>39}")
        say(f"     nobody's (residual){ranking['residual']:>30}")
        say(f"     the bill{ranking['bill']:>41}   (EffectiveCost: commitments spread over their use)")
        shown = [Decimal(row["total"]) for row in ranking["rows"]]
        require(
            sum(shown) + Decimal(rest["total"]) + Decimal(ranking["residual"]) == Decimal(ranking["bill"]),
            "the ranking does not sum to the bill",
        )
        require(Decimal(ranking["bill"]) == cents(month["effective_cost"]), "the bill is not the truth's")
        for row in ranking["rows"]:
            true = cents(month["allocated"][row["tenant_id"]]["total"])
            require(abs(Decimal(row["total"]) - true) <= CENT, f"{row['tenant_id']} costs {true} in truth")

        ask("provider", "Does that tie to the bill?")
        report = await call(client, "get_allocation_report", period=MONTH)
        for tie in report["invoices"]:
            say(
                f"  invoice {tie['invoice']}: billed {tie['billed']} = allocated {tie['allocated']}"
                f" + residual {tie['residual']}, difference {tie['difference']}"
            )
        invoices = {one["invoice"]: cents(one["total"]) for one in truth["invoices"] if one["month"] == MONTH}
        require({tie["invoice"]: Decimal(tie["billed"]) for tie in report["invoices"]} == invoices, "invoices differ")
        require(report["reconciles"], "the allocation does not reconcile")
        (effective,), (billed,) = report["effective_cost"], report["billed_cost"]
        say(f"  invoiced {billed['total']}; amortised, which is what is allocated, {effective['total']}")
        require(effective["total"] == ranking["bill"], "the report's bill is not the ranking's")
        coverage = ", ".join(f"{one['method']} {one['percent']:.1f} %" for one in report["coverage"])
        say(f"  {report['charges']:,} charges, each consumed once; {coverage}")


async def tenant_asks(sandbox: Sandbox, truth: dict[str, Any]) -> None:
    """Acme's agent: its own numbers, and nobody else's."""
    async with connected(sandbox, "tenant-management", "acme") as client:
        ask("acme", "Who am I here?")
        me = await call(client, "whoami")
        layers = sorted({layer["layer"] for layer in me["isolation"]})
        say(f"  {me['tenant_id']}, tier {me['tier']}, may {', '.join(me['scopes'])}; isolated by {', '.join(layers)}")
    async with connected(sandbox, "cost-explorer", "acme") as client:
        ask("acme", f"What did we cost in {MONTH}, by feature?")
        report = await call(client, "get_costs", period=MONTH, group_by="feature", limit=4)
        (costs,) = report["costs"]
        for row in costs["rows"]:
            say(f"  {row['name']:<24}{row['cost']:>9} {costs['currency']}")
        if "other" in costs:
            say(f"  {costs['other']['rows']} others{costs['other']['cost']:>25}")
        say(f"  total{costs['total']:>28}")
        true = cents(truth["billing"][MONTH]["allocated"]["acme"]["total"])
        require(Decimal(costs["total"]) == true, f"acme costs {true} in truth")

        ask("acme", "And globex?")
        refused = await client.call_tool("get_costs", {"period": MONTH, "tenant_id": "globex"})
        require(refused.is_error, "the server gave acme an answer about globex")
        say(f"  our layer refuses: {text_of(refused)}")


def around_the_server(sandbox: Sandbox) -> None:
    """Acme's AWS credentials, taken around the server: AWS itself refuses globex's data."""
    ask("acme", "Then I take my AWS session around the server.")
    s3 = sandbox.assume("cost-explorer", "acme", tier="growth").client("s3", sandbox.aws_endpoint)

    def manifest_of(tenant: str) -> dict[str, Any]:
        key = f"datasets/allocated_cost/tenant_id={tenant}/_manifest.json"
        return json.loads(s3.get_object(Bucket=sandbox.bucket, Key=key)["Body"].read())

    say(f"  s3:GetObject tenant_id=acme/    → {len(manifest_of('acme')['months'])} months of our own data")
    try:
        manifest_of("globex")
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        require(code == "AccessDenied", f"S3 answered {code}")
        say(f"  s3:GetObject tenant_id=globex/  → AWS refuses: {code}")
    else:
        raise Difference("AWS gave acme's session globex's data")


def session(sandbox: Sandbox) -> None:
    """The whole session."""
    truth = json.loads((sandbox.state.root / "company/truth.json").read_text())
    parts: list[Callable[..., Any]] = [provider_asks, tenant_asks]
    for part in parts:
        anyio.run(part, sandbox, truth)
    around_the_server(sandbox)


def main() -> int:
    """Start the sandbox unless it runs, hold the session, and leave things as they were found."""
    started = time.perf_counter()
    with Sandbox.running(default_directory(), progress=lambda line: say(f"[sandbox] {line}")) as sandbox:
        say("[sandbox] allocating twelve months of bills")
        prepare(sandbox)
        try:
            session(sandbox)
        except Difference as difference:
            say(f"\nNOT AS IT SHOULD BE: {difference}")
            return 1
    say(f"\nEvery figure above equals the truth that the company was made from. {time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
