"""How many requests each tenant makes on each day: seasons, growth, a churner, a noisy neighbour."""

import math
from datetime import date, timedelta
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .features import ASSISTANT_LAUNCH, FEATURES, feature_mix
from .periods import DAYS, FIRST_DAY, day_number, first_day
from .tenants import CHURNER, MONEY_LOSER_FROM, MONEY_LOSER_FROM_MONTH, NOISY_NEIGHBOUR, TENANTS, Tenant, tenant_index

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

SEED = 20251101
SCALE = 0.975
"""Brings the twelve months of all tenants to a little over a million requests."""
BURST_DAYS: tuple[date, ...] = (
    date(2026, 1, 21), date(2026, 2, 18), date(2026, 3, 17), date(2026, 4, 22), date(2026, 5, 20), date(2026, 6, 16),
    date(2026, 7, 22), date(2026, 8, 19), date(2026, 9, 16), date(2026, 10, 7), date(2026, 10, 21),
)  # fmt: skip
BURST_HOURS = range(13, 17)
BURST_FACTOR = 9.0
"""The noisy neighbour's load on a burst day as a multiple of its usual day; the surplus falls into `BURST_HOURS`."""
HARM_FACTOR = 2.6
"""What the burst does to everybody else's latency in those hours."""
FADING_FROM = date(2026, 4, 1)


def generator(part: str) -> np.random.Generator:
    """A random generator of its own for each part, so that a change in one leaves the others as they were."""
    return np.random.default_rng([SEED, *part.encode()])


def _weekly(day: date) -> float:
    return (1.08, 1.12, 1.1, 1.06, 1.0, 0.72, 0.62)[day.weekday()]


def _yearly(day: date) -> float:
    """Travel is planned most in January and before the summer, least in November."""
    turn = 2 * math.pi * (day.timetuple().tm_yday - 15) / 365
    return 1 + 0.16 * math.cos(turn) + 0.1 * math.cos(2 * (turn - math.pi * 0.83))


def _life(tenant: Tenant, day: date) -> float:
    if not tenant.first_active() <= day <= tenant.last_active():
        return 0.0
    if tenant.id == CHURNER and day >= FADING_FROM:
        return max(0.03, 1 - (day - FADING_FROM) / (tenant.last_active() - FADING_FROM)) ** 1.5
    if tenant.joined > FIRST_DAY:
        return min(1.0, 0.35 + (day - tenant.joined) / timedelta(days=45))
    return 1.0


def _appetite(tenant: Tenant, day: date) -> float:
    """The later money loser multiplies its use at a known month."""
    changed = tenant.id == MONEY_LOSER_FROM and day >= first_day(MONEY_LOSER_FROM_MONTH)
    return 5.2 if changed else 1.0


def expected_requests() -> Floats:
    """Expected requests by tenant and day, without the noisy neighbour's bursts."""
    whole = len(DAYS) - 1
    return np.array(
        [
            [
                tenant.volume * SCALE * tenant.growth ** (number / whole) * _weekly(day) * _yearly(day)
                * _life(tenant, day) * _appetite(tenant, day)
                for number, day in enumerate(DAYS)
            ]
            for tenant in TENANTS
        ]
    )  # fmt: skip


def burst_surplus() -> Floats:
    """Expected surplus of the noisy neighbour, by tenant and day."""
    surplus = np.zeros((len(TENANTS), len(DAYS)))
    row = tenant_index(NOISY_NEIGHBOUR)
    usual = expected_requests()[row]
    for day in BURST_DAYS:
        surplus[row, day_number(day)] = usual[day_number(day)] * (BURST_FACTOR - 1)
    return surplus


def feature_mixes() -> tuple[Floats, Floats]:
    """Cumulative feature shares by tenant, before and after the assistant's launch."""
    before = np.array([feature_mix(tenant.tier, tenant.persona, assistant=0.0) for tenant in TENANTS])
    after = np.array(
        [feature_mix(t.tier, t.persona, assistant=3.0 if t.id == MONEY_LOSER_FROM else 1.0) for t in TENANTS]
    )
    assert before.shape == (len(TENANTS), len(FEATURES))
    return before.cumsum(axis=1), after.cumsum(axis=1)


def assistant_launch_day() -> int:
    """Day number from which the assistant exists."""
    return day_number(first_day(ASSISTANT_LAUNCH))
