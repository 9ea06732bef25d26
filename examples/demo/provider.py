"""The SaaS company's own agent asks: who the tenants are, what they cost, what they use and who fades."""

from collections import Counter
from decimal import Decimal
from typing import Any

from lifecycle import is_of_a_demo
from prepare import say
from speaking import CENT, MONTH, ask, call, cents, connected, require
from tenantscope_sandbox import Sandbox

BEFORE_THE_CHURNER_LEFT = "2026-07-31"


async def who_they_are(sandbox: Sandbox, truth: dict[str, Any]) -> None:
    """The fleet, by tier."""
    ask("provider", "Who are our tenants?")
    async with connected(sandbox, "tenant-management", None) as client:
        page = await call(client, "list_tenants", limit=100)
    tenants = [tenant for tenant in page["tenants"] if not is_of_a_demo(tenant["tenant_id"])]
    tiers = Counter(tenant["tier"] for tenant in tenants)
    say(f"  {len(tenants)} tenants: " + ", ".join(f"{count} {tier}" for tier, count in sorted(tiers.items())))
    require({tenant["tenant_id"] for tenant in tenants} == set(truth["tenants"]), "the tenants are not the truth's")


async def what_they_cost(sandbox: Sandbox, truth: dict[str, Any]) -> None:
    """What each tenant costs, and whether that ties to the bill."""
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


async def what_they_use(sandbox: Sandbox, truth: dict[str, Any]) -> None:
    """Which features are used, and which tenants fade."""
    async with connected(sandbox, "metrics-logs", None) as client:
        ask("provider", f"Which features are used in {MONTH}?")
        report = await call(client, "get_feature_usage", period=MONTH, limit=5)
        for row in report["rows"]:
            say(
                f"  {row['name']:<20}{row['calls']:>8,} calls {row['percent']:>5.1f} %   by {row['tenants']} of"
                f" {report['active_tenants']} tenants"
            )
        say(f"  {report['other']['rows']:>2} others{report['other']['calls']:>19,} calls")
        shown = sum(row["calls"] for row in report["rows"]) + report["other"]["calls"]
        require(shown == report["calls"], "the features do not sum to the total")
        for row in report["rows"]:
            true = sum(use["feature_calls"].get(row["name"], 0) for use in truth["usage"][MONTH].values())
            require(row["calls"] == true, f"{row['name']} was called {true:,} times in truth")

        churner = truth["planted"]["churner"]["tenant"]
        ask("provider", "Which tenants were fading at the end of July?")
        page = await call(client, "list_tenant_activity", as_of=BEFORE_THE_CHURNER_LEFT, state="fading")
        for row in page["rows"]:
            say(f"  {row['tenant_id']}: {row['rule']}")
        require(churner in {row["tenant_id"] for row in page["rows"]}, f"{churner} fades in truth")
