"""Calls are admitted or told when to come back, and what a call held comes back however it ends."""

import asyncio
from datetime import UTC, datetime

import anyio
import pytest
from fixtures.clock import Seconds
from tenantscope_core.admission.admission import Admission
from tenantscope_core.admission.ledger import LocalLedger, Refusal
from tenantscope_core.admission.limits import Limits, TierLimits, caller_key
from tenantscope_core.admission.quotas import Quotas
from tenantscope_core.identity.caller import Audience, Caller
from tenantscope_core.results.errors import Action, RateLimited

GOLD, BASIC = Limits(per_minute=600, burst=5, concurrent=2), Limits(per_minute=60, burst=2, concurrent=1)
LIMITS = TierLimits(default=BASIC, tiers={"gold": GOLD}, provider=Limits(per_minute=600, burst=3, concurrent=3))


@pytest.fixture
def admission(monotonic: Seconds) -> Admission:
    return Admission(LocalLedger(monotonic=monotonic), LIMITS)


async def calls_let_in(admission: Admission, key: str, tier: str | None, calls: int = 20) -> int:
    let_in = 0
    for _ in range(calls):
        try:
            async with admission.admit(key, tier):
                let_in += 1
        except RateLimited:
            break
    return let_in


@pytest.mark.parametrize(("tier", "burst"), [("gold", 5), ("basic", 2), ("unheard-of", 2), (None, 2)])
async def test_the_tier_decides_and_an_unknown_one_gets_the_default(admission: Admission, tier: str | None, burst: int):
    assert await calls_let_in(admission, "acme", tier) == burst


async def test_a_quota_of_the_tenants_own_goes_before_its_tier(admission: Admission):
    async with admission.admit("acme", "gold", Quotas(concurrent=1)):
        with pytest.raises(RateLimited, match="1 calls are running already"):
            async with admission.admit("acme", "gold", Quotas(concurrent=1)):
                pass


@pytest.mark.parametrize("quotas", [Quotas(per_minute=0), Quotas(burst=0), Quotas(concurrent=0)])
async def test_a_quota_of_nothing_lets_no_call_in_and_says_so(admission: Admission, quotas: Quotas):
    with pytest.raises(RateLimited, match="quota allows no calls") as caught:
        async with admission.admit("acme", "gold", quotas):
            pass
    assert caught.value.remedy.retry_after_seconds == 30


async def test_a_refusal_says_when_to_come_back_and_means_it(admission: Admission, monotonic: Seconds):
    await calls_let_in(admission, "acme", "basic")
    with pytest.raises(RateLimited) as caught:
        async with admission.admit("acme", "basic"):
            pass
    assert caught.value.as_fields() == {
        "code": "rate_limited",
        "action": Action.RETRY_AFTER,
        "retry_after_seconds": 1.0,
    }
    monotonic.advance(1.0)
    assert await calls_let_in(admission, "acme", "basic") == 1


async def test_a_call_beyond_the_slots_is_refused_while_the_others_run(admission: Admission):
    async with admission.admit("acme", "gold"), admission.admit("acme", "gold"):
        with pytest.raises(RateLimited, match="2 calls are running already"):
            async with admission.admit("acme", "gold"):
                pass
        async with admission.admit("globex", "gold"):
            pass
    async with admission.admit("acme", "gold"):
        pass


async def test_a_slot_comes_back_when_the_call_fails_or_is_cancelled(admission: Admission):
    with pytest.raises(LookupError):
        async with admission.admit("acme", "basic"):
            raise LookupError
    with anyio.move_on_after(0.001):
        async with admission.admit("acme", "basic"):
            await anyio.sleep_forever()
    with pytest.raises(RateLimited, match="calls at once, or"):
        async with admission.admit("acme", "basic"):
            pass


class SlowToAnswer(LocalLedger):
    """Grants the lease, and is cancelled before it can say so."""

    async def enter(self, caller_key: str, limits: Limits, lease: str) -> Refusal | None:
        refusal = await super().enter(caller_key, limits, lease)
        await asyncio.Event().wait()
        return refusal


async def test_a_lease_granted_to_a_call_cancelled_on_the_way_in_comes_back(monotonic: Seconds):
    ledger = SlowToAnswer(monotonic=monotonic)
    with anyio.move_on_after(0.001):
        async with Admission(ledger, LIMITS).admit("acme", "basic"):
            raise AssertionError("never admitted")
    assert await LocalLedger.enter(ledger, "acme", BASIC, "next") is None


def caller(subject: str, tenant: str | None) -> Caller:
    audience = Audience.PROVIDER if tenant is None else Audience.TENANT
    return Caller(subject, audience, tenant, None, frozenset(), datetime(2026, 10, 5, tzinfo=UTC))


async def test_each_of_the_providers_callers_has_limits_of_its_own(admission: Admission):
    assert await calls_let_in(admission, caller_key(caller("ann", None)), None) == 3
    assert await calls_let_in(admission, caller_key(caller("bob", None)), None) == 3


def test_callers_of_a_tenant_count_together_and_nobody_counts_as_another():
    assert caller_key(caller("ann", "acme")) == caller_key(caller("bob", "acme")) == "acme"
    keys = {
        caller_key(caller(subject, tenant)) for subject in ("acme", "{acme}") for tenant in ("acme", "provider", None)
    }
    assert len(keys) == 4
    assert not any(character in key for key in keys for character in "{}")


@pytest.mark.parametrize(("per_minute", "burst", "concurrent"), [(0, 1, 1), (1, 0, 1), (1, 1, 0), (-1, 1, 1)])
def test_limits_that_let_nothing_through_are_refused(per_minute: float, burst: int, concurrent: int):
    with pytest.raises(ValueError, match="at least one"):
        Limits(per_minute, burst, concurrent)
