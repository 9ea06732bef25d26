"""The use of features and actions made presentable: most calls first, the rest as one row, sums that hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tenantscope_core.results.answers import percent

from tenantscope_metrics_logs.models import FadingTenant, FadingTenants, FeatureRow, OtherFeatures
from tenantscope_metrics_logs.usage import Latency, change_percent

FADES_BY_PERCENT = 50
FADES_FROM_CALLS = 20
MOST_FADING = 10
FADING_RULE = (
    f"Its calls a day fell by {FADES_BY_PERCENT} % or more against the period before, in which it made "
    f"{FADES_FROM_CALLS} calls or more."
)


@dataclass(frozen=True, slots=True)
class FeatureSum:
    """What a feature or an action came to in one period; `tenant_days` are pairs of a tenant and a day with a call."""

    name: str
    calls: int = 0
    errors: int = 0
    tenants: int = 0
    tenant_days: int = 0


@dataclass(frozen=True, slots=True)
class FeatureUse:
    """All that is known of the use of features in a period; `before` is None where the period before is unknown.

    `people` are, by name, the different people in one action on one day, on the busiest. `length` is how long the
    period is so far, as a multiple of the one before.
    """

    now: Mapping[str, FeatureSum]
    before: Mapping[str, FeatureSum] | None
    latency: Mapping[str, Latency]
    people: Mapping[str, int]
    active_tenants: int
    length: float = 1.0


def shown(use: FeatureUse, limit: int, *, of_fleet: bool) -> tuple[list[FeatureRow], OtherFeatures | None]:
    """The rows, most calls first, and one for the rest; what was used before and is not now is among them."""
    names = sorted(set(use.now) | set(use.before or ()), key=lambda name: (-_calls(use.now, name), name))
    calls = sum(one.calls for one in use.now.values())
    rows = [_row(name, use, calls, of_fleet) for name in names[:limit]]
    rest = names[limit:]
    other = OtherFeatures(
        rows=len(rest),
        calls=sum(_calls(use.now, name) for name in rest),
        errors=sum(use.now[name].errors for name in rest if name in use.now),
        before=None if use.before is None else sum(_calls(use.before, name) for name in rest),
    )
    return rows, other if rest else None


def _row(name: str, use: FeatureUse, calls: int, of_fleet: bool) -> FeatureRow:
    now = use.now.get(name, FeatureSum(name))
    before = None if use.before is None else use.before.get(name, FeatureSum(name))
    latency = use.latency.get(name, Latency())
    return FeatureRow(
        name=name,
        calls=now.calls,
        percent=percent(now.calls, calls),
        errors=now.errors,
        error_percent=percent(now.errors, now.calls),
        users_at_least=use.people.get(name),
        p95_ms=latency.p95_ms,
        p95_ms_worst=latency.p95_ms_worst,
        days_used=round(now.tenant_days / now.tenants, 1) if now.tenants else 0.0,
        tenants=now.tenants if of_fleet else None,
        adoption_percent=percent(now.tenants, use.active_tenants) if of_fleet else None,
        tenants_before=before.tenants if of_fleet and before is not None else None,
        before=None if before is None else before.calls,
        change_percent=change_percent(now.calls, None if before is None else before.calls, use.length),
    )


def fading(changes: Sequence[tuple[str, int, int]], length: float) -> FadingTenants:
    """The tenants that fade within a feature, from (tenant, calls, calls before); the largest loss first."""
    judged = [(*one, change_percent(one[1], one[2], length)) for one in changes if one[2] >= FADES_FROM_CALLS]
    found = [
        FadingTenant(tenant_id=tenant, calls=now, before=before, change_percent=change)
        for tenant, now, before, change in judged
        if change is not None and change <= -FADES_BY_PERCENT
    ]
    found.sort(key=lambda one: (one.calls - one.before * length, one.tenant_id))
    return FadingTenants(rule=FADING_RULE, tenants=found[:MOST_FADING], count=len(found))


def _calls(sums: Mapping[str, FeatureSum], name: str) -> int:
    return sums[name].calls if name in sums else 0
