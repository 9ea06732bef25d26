"""What is true of the company, worked out by plain exact arithmetic from what the generator knows of each charge.

It never looks at the allocation rules, which servers are given, nor at tags: each charge was made with its kind. A
month is the bill's (the billing period). Money comes out as decimal strings with twelve places that add up exactly.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import duckdb
import numpy as np

from . import activity, tenants
from .bill import SPIKE_DAYS, SPIKE_FACTOR, SPIKE_SKU, invoice_totals
from .charges import Charges, Kind
from .features import ASSISTANT_LAUNCH, FEATURE_NAMES, FEATURES
from .periods import DAYS, MONTHS, day_number, first_day
from .skus import COST_SCALE, SKUS, sku_index
from .tenants import TENANT_IDS, TENANTS, tenant_index
from .wasted import wasted

PLACES = 10**12
_BEFORE_PROXIES: tuple[Kind, ...] = (
    "direct", "silo", "model", "feature", "platform", "security", "purchase", "unused", "none",
)  # fmt: skip
_PROXIES: tuple[Kind, ...] = ("support", "tax", "credit")
_METRICS = ("requests", "request_ms", "bytes", "errors")
Shares: TypeAlias = dict[str, Fraction]
Cell: TypeAlias = tuple[str, str, str]
"""Tenant, method, service. The tenant is '' for what is nobody's."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Measured use, by the keys named in each field."""

    by_day: Mapping[tuple[str, int], Mapping[str, int]]
    """metric, day number → tenant → quantity"""
    by_month: Mapping[tuple[str, str], Mapping[str, int]]
    """metric, month → tenant → quantity"""
    features: Mapping[str, Sequence[tuple[str, str, int, int]]]
    """month → (tenant, feature, calls, bytes)"""


def read_usage(connection: duckdb.DuckDBPyConnection) -> Usage:
    """Read back from the log and the metered tokens what the drivers measure."""
    by_day: dict[tuple[str, int], dict[str, int]] = defaultdict(dict)
    by_month: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    number = {day: position for position, day in enumerate(DAYS)}
    log = connection.execute(
        "SELECT tenant_id, day, count(*), sum(ms)::BIGINT, sum(bytes)::BIGINT, count(*) FILTER (status >= 500)"
        " FROM access_log GROUP BY ALL"
    ).fetchall()
    tokens = connection.execute(
        "SELECT tenant_id, day, sum(tokens_in + tokens_out)::BIGINT FROM llm_usage GROUP BY ALL"
    ).fetchall()
    measured = [(_METRICS, log), (("tokens",), tokens)]
    for metrics, rows in measured:
        for tenant, day, *values in rows:
            for metric, value in zip(metrics, values, strict=True):
                by_day[metric, number[day]][tenant] = value
                by_month[metric, day.strftime("%Y-%m")][tenant] += value
    features: dict[str, list[tuple[str, str, int, int]]] = defaultdict(list)
    for month, *row in connection.execute(
        "SELECT strftime(day, '%Y-%m'), tenant_id, feature, count(*), sum(bytes)::BIGINT FROM access_log"
        " WHERE feature IS NOT NULL GROUP BY ALL"
    ).fetchall():
        features[month].append((row[0], row[1], row[2], row[3]))
    return Usage(by_day, by_month, features)


def _shares(measured: Mapping[str, int]) -> Shares:
    total = sum(measured.values())
    return {tenant: Fraction(value, total) for tenant, value in measured.items() if value}


def _platform_shares(rows: Sequence[tuple[str, str, int, int]]) -> Shares:
    """First among features by bytes, then within each feature among tenants by calls."""
    fleet_bytes, fleet_calls = defaultdict[str, int](int), defaultdict[str, int](int)
    for _, feature, calls, size in rows:
        fleet_bytes[feature] += size
        fleet_calls[feature] += calls
    total = sum(fleet_bytes.values())
    shares: Shares = defaultdict(Fraction)
    for tenant, feature, calls, _ in rows:
        shares[tenant] += Fraction(fleet_bytes[feature], total) * Fraction(calls, fleet_calls[feature])
    return shares


def _totals(parts: Sequence[Charges], kinds: Sequence[Kind], month: int) -> dict[tuple[Kind, str, int, int], int]:
    """EffectiveCost in 1e-10 dollars by (kind, service, tenant, day) of one month."""
    totals: dict[tuple[Kind, str, int, int], int] = defaultdict(int)
    for part in parts:
        if part.kind not in kinds:
            continue
        chosen = part.month == month
        by_day = part.day if part.kind == "model" else np.full(len(part), -1)
        columns = np.stack((part.sku[chosen], part.tenant[chosen], by_day[chosen], part.effective[chosen]), axis=1)
        rows: list[list[int]] = columns.tolist()
        for sku, tenant, day, cost in rows:
            totals[part.kind, SKUS[sku].service, tenant, day] += cost
    return totals


def allocate(parts: Sequence[Charges], usage: Usage, month: str) -> dict[Cell, Fraction]:
    """One month's EffectiveCost in 1e-10 dollars by tenant, method and service."""
    number = MONTHS.index(month)
    cells: dict[Cell, Fraction] = defaultdict(Fraction)
    requests = usage.by_month["requests", month]
    present = [tenant for tenant, value in requests.items() if value]
    pools: dict[str, tuple[str, Shares]] = {
        "feature": ("driver", _shares(usage.by_month["request_ms", month])),
        "platform": ("driver", _platform_shares(usage.features[month])),
        "security": ("even", {tenant: Fraction(1, len(present)) for tenant in present}),
    }
    for (kind, service, tenant, day), cost in _totals(parts, _BEFORE_PROXIES, number).items():
        if kind == "direct":
            cells[TENANT_IDS[tenant], "direct", service] += cost
        elif kind == "silo":
            cells[tenants.SILO_TENANT, "direct", service] += cost
        elif kind in pools:
            method, shares = pools[kind]
            for one, share in shares.items():
                cells[one, method, service] += cost * share
        elif kind == "model":
            measured = usage.by_day.get(("tokens", day)) or usage.by_day["requests", day]
            for one, share in _shares(measured).items():
                cells[one, "driver", service] += cost * share
        else:
            cells["", "residual", service] += cost
    own = defaultdict[str, Fraction](Fraction)
    for (tenant_id, _, _), cost in cells.items():
        if tenant_id:
            own[tenant_id] += cost
    everything = sum(own.values())
    for (_, service, _, _), cost in _totals(parts, _PROXIES, number).items():
        for tenant_id, amount in own.items():
            cells[tenant_id, "proxy", service] += cost * amount / everything
    return cells


def by_feature(parts: Sequence[Charges], usage: Usage, month: str) -> dict[Cell, Fraction]:
    """One month's EffectiveCost in 1e-10 dollars by feature, kind of charge and service; '' is what no feature has.

    A charge that was made for one feature is that feature's; the platform is shared by the features' bytes.
    """
    number = MONTHS.index(month)
    size: dict[str, int] = defaultdict(int)
    for _, feature, _, bytes_sent in usage.features[month]:
        size[feature] += bytes_sent
    platform = _shares(size)
    cells: dict[Cell, Fraction] = defaultdict(Fraction)
    for part in parts:
        chosen = part.month == number
        columns = np.stack((part.sku[chosen], part.feature[chosen], part.effective[chosen]), axis=1)
        rows: list[list[int]] = columns.tolist()
        for sku, feature, cost in rows:
            service = SKUS[sku].service
            if feature >= 0:
                cells[FEATURE_NAMES[feature], part.kind, service] += cost
            elif part.kind == "platform":
                for name, share in platform.items():
                    cells[name, part.kind, service] += cost * share
            else:
                cells["", part.kind, service] += cost
    return cells


def rounded(cells: Mapping[Cell, Fraction]) -> dict[Cell, int]:
    """Cells in 1e-12 dollars, rounded so that their sum is the exact sum (largest remainder)."""
    scale = PLACES // COST_SCALE
    floors = {cell: (amount * scale).__floor__() for cell, amount in cells.items()}
    missing = int(sum(cells.values()) * scale) - sum(floors.values())
    by_remainder = sorted(cells, key=lambda cell: (floors[cell] - cells[cell] * scale, cell))
    for cell in by_remainder[:missing]:
        floors[cell] += 1
    return floors


def money(amount: int, scale: int = PLACES) -> str:
    """A whole number of 1/scale dollars as a decimal string."""
    whole, part = divmod(abs(amount), scale)
    return f"{'-' if amount < 0 else ''}{whole}.{part:0{len(str(scale)) - 1}d}"


def _month(parts: Sequence[Charges], usage: Usage, month: str) -> dict[str, Any]:
    cells = rounded(allocate(parts, usage, month))
    methods: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    services: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (tenant, method, service), amount in cells.items():
        methods[tenant][method] += amount
        services[tenant][service] += amount
    scale = PLACES // COST_SCALE
    position = MONTHS.index(month)
    bill = sum(int(part.effective[part.month == position].sum()) for part in parts) * scale
    billed = sum(int(part.billed[part.month == position].sum()) for part in parts)
    residual = methods.pop("", {})
    residual_services = services.pop("", {})
    return {
        "effective_cost": money(bill),
        "billed_cost": money(billed, COST_SCALE),
        "residual": money(sum(residual.values())),
        "residual_by_service": {name: money(value) for name, value in sorted(residual_services.items())},
        "allocated": {
            tenant: {"total": money(sum(split.values())), **{name: money(value) for name, value in split.items()}}
            for tenant, split in sorted(methods.items())
        },
        "allocated_by_service": {
            tenant: {name: money(value) for name, value in sorted(split.items())}
            for tenant, split in sorted(services.items())
        },
    }


def _feature_costs(parts: Sequence[Charges], usage: Usage, month: str) -> dict[str, dict[str, str]]:
    """Money by feature: its total, and each service's part of it."""
    services: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (feature, _, service), amount in rounded(by_feature(parts, usage, month)).items():
        services[feature][service] += amount
    return {
        feature: {"total": money(sum(split.values())), **{name: money(value) for name, value in sorted(split.items())}}
        for feature, split in sorted(services.items())
        if feature
    }


def _usage_of(usage: Usage) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for month in MONTHS:
        calls: dict[str, dict[str, int]] = defaultdict(dict)
        for tenant, feature, count, _ in usage.features[month]:
            calls[tenant][feature] = count
        found[month] = {
            tenant: {
                **{metric: usage.by_month[metric, month][tenant] for metric in _METRICS},
                "tokens": usage.by_month["tokens", month].get(tenant, 0),
                "feature_calls": dict(sorted(calls[tenant].items())),
            }
            for tenant in sorted(usage.by_month["requests", month])
        }
    return found


def _spike(parts: Sequence[Charges]) -> dict[str, Any]:
    """What the retry loop cost, and what of it would not have been: of each charge all but a `SPIKE_FACTOR`th."""
    sku, days = sku_index(SPIKE_SKU), [day_number(day) for day in SPIKE_DAYS]
    cost, quantity = 0, Fraction(0)
    for part in parts:
        chosen = (part.sku == sku) & (part.tenant == tenant_index(tenants.SPIKING)) & np.isin(part.day, days)
        cost += int(part.effective[chosen].sum())
        quantity += sum((Fraction(str(value)) for value in part.quantity[chosen].tolist()), Fraction(0))
    scale = PLACES // COST_SCALE
    return {
        "tenant": tenants.SPIKING,
        "service": SKUS[sku].service,
        "unit": SKUS[sku].unit,
        "days": [day.isoformat() for day in SPIKE_DAYS],
        "factor": SPIKE_FACTOR,
        "cost": money(cost * scale),
        "excess_cost": money(cost * scale * (SPIKE_FACTOR - 1) // SPIKE_FACTOR),
        "quantity": f"{float(quantity):.2f}",
    }


def _planted(parts: Sequence[Charges]) -> dict[str, Any]:
    return {
        "cost_spike": _spike(parts),
        "churner": {
            "tenant": tenants.CHURNER,
            "fading_from": activity.FADING_FROM.isoformat(),
            "gone_from": next(one.left for one in TENANTS if one.id == tenants.CHURNER),
        },
        "noisy_neighbour": {
            "tenant": tenants.NOISY_NEIGHBOUR,
            "days": [day.isoformat() for day in activity.BURST_DAYS],
            "hours_utc": list(activity.BURST_HOURS),
            "load_factor": activity.BURST_FACTOR,
            "latency_factor_of_others": activity.HARM_FACTOR,
        },
        "money_losers": {
            tenants.MONEY_LOSER: MONTHS[0],
            tenants.MONEY_LOSER_FROM: tenants.MONEY_LOSER_FROM_MONTH,
        },
        "silo_tenant": tenants.SILO_TENANT,
        "never_a_tenant": "initech",
        "assistant_launch": first_day(ASSISTANT_LAUNCH).isoformat(),
    }


def describe(connection: duckdb.DuckDBPyConnection, parts: Sequence[Charges], version: str) -> dict[str, Any]:
    """Everything a test may want to know and a server is never told."""
    usage = read_usage(connection)
    revenue: dict[str, dict[str, str]] = defaultdict(dict)
    for tenant, month, amount in connection.execute(
        "SELECT tenant_id, month, sum(amount) FROM revenue GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        revenue[month][tenant] = f"{amount:.12f}"
    return {
        "version": version,
        "months": list(MONTHS),
        "tenants": {
            one.id: {"tier": one.tier, "persona": one.persona, "plan": one.plan_name, "status": one.status,
                     "joined": one.joined.isoformat(), "first_active": one.first_active().isoformat(),
                     "last_active": one.last_active().isoformat() if one.volume else None}
            for one in TENANTS
        },
        "features": {
            one.name: {"route": one.route, "actions": {action.method: action.name for action in one.actions}}
            for one in FEATURES
        },
        "planted": _planted(parts),
        "invoices": [
            {"invoice": f"{month.replace('-', '')}{account[-4:]}", "billing_account": account, "month": month,
             "total": money(total // (COST_SCALE // 100), 100)}
            for (account, month), total in invoice_totals(list(parts)).items()
        ],
        "billing": {month: _month(parts, usage, month) for month in MONTHS},
        "feature_costs": {month: _feature_costs(parts, usage, month) for month in MONTHS},
        "revenue": revenue,
        "usage": _usage_of(usage),
        "savings": wasted(parts, usage.by_day),
    }  # fmt: skip
