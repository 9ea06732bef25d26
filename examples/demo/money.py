"""The SaaS company's own agent asks: who loses money, what features cost, what comes, and what stands out."""

from decimal import Decimal
from typing import Any

from prepare import say
from speaking import CENT, MONTH, ask, call, cents, connected, require
from tenantscope_sandbox import Sandbox

MONTHS_AHEAD = 6


async def who_loses(sandbox: Sandbox, truth: dict[str, Any]) -> None:
    """Which tenants lose money, since when, and what would end it."""
    ask("provider", "Which tenants lose money, since when, and what would end it?")
    async with connected(sandbox, "cost-explorer", None) as client:
        report = await call(client, "get_margins", period=MONTH, only="losing", limit=5)
    for row in report["rows"]:
        loss = row["loss"]
        earlier = " or earlier" if loss.get("or_earlier") else ""
        say(
            f"  {row['name']}: pays {row['revenue']}, costs {row['cost']}, margin {row['margin']} {report['currency']};"
            f" since {loss['since']}{earlier}, {loss['lost']} in all; {loss['revenue_up_percent']} % more pay ends it"
        )
        true = Decimal(truth["revenue"][MONTH][row["name"]]) - Decimal(
            truth["billing"][MONTH]["allocated"][row["name"]]["total"]
        )
        require(abs(Decimal(row["margin"]) - true) <= CENT, f"{row['name']}'s margin is {true} in truth")
    planted = truth["planted"]["money_losers"]
    require({row["name"]: row["loss"]["since"] for row in report["rows"]} == planted, f"in truth it is {planted}")
    others = sum(Decimal(report["other"][name]) * sign for name, sign in (("revenue", 1), ("cost", -1)))
    shown = sum((Decimal(row["margin"]) for row in report["rows"]), others) - Decimal(report["residual"])
    require(shown == Decimal(report["margin"]), "the margins do not sum to the fleet's")
    say(f"  all tenants: revenue {report['revenue']}, the bill {report['bill']}, margin {report['margin']}")


async def what_features_cost(sandbox: Sandbox, truth: dict[str, Any]) -> None:
    """Which feature costs most."""
    ask("provider", "Which feature costs us most to host, and what is one call of it?")
    async with connected(sandbox, "cost-explorer", None) as client:
        report = await call(client, "get_feature_unit_costs", period=MONTH, limit=3)
    (dearest, *_) = report["rows"]
    for row in report["rows"]:
        say(f"  {row['feature']:<20}{row['attributed']['cost']:>9} named, {row['with_shared']['cost']:>9} with shared")
    true = {name: cents(sums["total"]) for name, sums in truth["feature_costs"][MONTH].items()}
    name = max(true, key=lambda one: true[one])
    require(dearest["feature"] == name, f"{name} costs most in truth")
    require(abs(Decimal(dearest["attributed"]["cost"]) - true[name]) <= CENT, f"it costs {true[name]} in truth")


async def what_comes(sandbox: Sandbox, truth: dict[str, Any]) -> None:
    """What the coming months cost, and how sure that is."""
    ask("provider", "What will the next half year cost us, and how sure is that?")
    async with connected(sandbox, "cost-explorer", None) as client:
        report = await call(client, "forecast_costs", months=MONTHS_AHEAD)
    for month in report["months"]:
        low, high = month["cost_80"]["low"], month["cost_80"]["high"]
        say(f"  {month['month']}  {month['cost']:>10}   80 %: {low} .. {high}   margin {month['margin']:>10}")
    tested = report["back_test"]
    say(
        f"  tried from each of the last {tested['forecasts']} months: {tested['error_percent']} % off a month,"
        f" {tested['naive_error_percent']} % had nothing changed; intervals from {report['intervals_from']}"
    )
    for note in report["notes"]:
        say(f"  note: {note}")
    shown = sum((Decimal(month["cost"]) for month in report["months"]), Decimal(0))
    require(shown == Decimal(report["total"]), "the months do not sum to the total")
    parts = [Decimal(one["cost"]) for one in report["tenants"]] + [Decimal(report["other"]["cost"])]
    require(sum(parts) + Decimal(report["residual"]) == shown, "tenants and residual do not sum to the total")
    require(report["history_months"] == len(truth["months"]), "it is not told from all months")


async def what_stands_out(sandbox: Sandbox, truth: dict[str, Any]) -> None:
    """What spend is unusual, why cost moved, and what can be saved."""
    spike = truth["planted"]["cost_spike"]
    month = spike["days"][0][:7]
    async with connected(sandbox, "cost-explorer", None) as client:
        ask("provider", f"Was anything unusual in {month}?")
        found = await call(client, "find_cost_anomalies", period=month)
        first = found["anomalies"][0]
        say(
            f"  {first['service']} of {first.get('tenant_id', 'all')}, {first['first_day']} to {first['last_day']}:"
            f" {first['actual']} {first['currency']} for {first['expected']}, {first['reason']}"
        )
        say(f"  {found['count']} in all; a rank, not a probability")
        require(first.get("tenant_id") == spike["tenant"], f"it is {spike['tenant']}'s in truth")
        require([first["first_day"], first["last_day"]] == [spike["days"][0], spike["days"][-1]], "the days differ")
        require(Decimal(first["actual"]) == cents(spike["cost"]), f"it cost {spike['cost']} in truth")

        ask("provider", f"Why did {spike['tenant']}'s cost move in {month}?")
        told = await call(client, "explain_cost_change", tenant_id=spike["tenant"], period=month)
        (change,) = told["changes"]
        say(f"  {change['summary']}")
        for driver in change["drivers"]:
            say(f"  {driver['driver']:<12}{driver['change']:>10}")
        say(f"  in all{change['change']:>16}   ({change['before']} to {change['after']})")
        drivers = sum((Decimal(one["change"]) for one in change["drivers"]), Decimal(0))
        require(drivers == Decimal(change["change"]), "the drivers do not sum to the change")

        ask("provider", f"What could we save, going by {MONTH}?")
        report = await call(client, "suggest_savings", period=MONTH, limit=4)
    for one in report["findings"]:
        say(f"  {one['saving']:>8} ({one['low']} .. {one['high']}) a month, {one['effort']} effort: {one['title']}")
    say(f"  {report['finding_count']} findings, {report['gross']} in all, {report['net']} with nothing counted twice")
    shown = sum((Decimal(one["saving"]) for one in report["findings"]), Decimal(report["other"]["saving"]))
    require(shown == Decimal(report["gross"]), "the findings do not sum to the gross")
