"""A tenant's agent asks for its own numbers, and then for another's, which two layers refuse in turn."""

import json
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError
from prepare import say
from speaking import MONTH, Difference, ask, call, cents, connected, require, text_of
from tenantscope_sandbox import Sandbox


async def its_costs(sandbox: Sandbox, truth: dict[str, Any]) -> None:
    """Acme's own numbers, and nobody else's."""
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


async def its_bill(sandbox: Sandbox, truth: dict[str, Any]) -> None:
    """What acme is charged, line by line."""
    async with connected(sandbox, "pricing", "acme") as client:
        ask("acme", f"What is our bill for {MONTH}?")
        bill = await call(client, "get_bill", period=MONTH)
    for line in bill["tenant"]["lines"]:
        used = f"{Decimal(line['quantity']):,.0f}" if line.get("quantity") else ""
        say(f"  {line['line']:<24}{used:>22}{line['amount']:>12} {bill['currency']}")
    say(f"  total{bill['total']:>53}")
    true = cents(truth["revenue"][MONTH]["acme"])
    require(Decimal(bill["total"]) == true, f"acme pays {true} in truth")


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
