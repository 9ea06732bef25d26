"""The vault asks STS once per key, keeps what it was given as long as it serves, and no longer."""

import asyncio
import tracemalloc
from datetime import timedelta
from typing import Any

import anyio
import pytest
from core.credentials.tokens import TAGS, token, token_with
from fixtures.clock import Clock
from fixtures.grants import OpenVault, grant
from fixtures.sts_server import Behaviour, Received, Reply, StsServer, sts_error
from tenantscope_core.credentials.aws import FrozenCredentials
from tenantscope_core.credentials.broker import AssumeRoleBroker, Grant, Vended, WebIdentityBroker
from tenantscope_core.credentials.sts import Sts
from tenantscope_core.credentials.vault import Vault
from tenantscope_core.results.errors import Internal, NotAuthenticated, NotPermitted, ToolFailure, Unavailable


class Gate:
    """Holds STS's answers until opened, for the tenants it is shut for."""

    def __init__(self, *tenants: str) -> None:
        self._tenants = tenants
        self._open = asyncio.Event()

    async def __call__(self, request: Received) -> None:
        if not self._tenants or request.tags.get("TenantId") in self._tenants:
            await self._open.wait()

    def open(self) -> None:
        self._open.set()


def failing_with(code: str, status: int = 403) -> Behaviour:
    async def fail(_: Received) -> Reply:
        return sts_error(code, status)

    return fail


async def failure_of(vault: Vault, **changes: Any) -> ToolFailure:
    with pytest.raises(ToolFailure) as caught:
        await vault.session_for(grant(**changes))
    return caught.value


async def settled(vault: Vault) -> None:
    """Until no STS call is under way."""
    with anyio.fail_after(10):
        while vault.stats.flights:
            await anyio.sleep(0)


@pytest.mark.requirement("sessions-kept")
async def test_two_hundred_callers_of_one_tenant_make_one_sts_call(open_vault: OpenVault, server: StsServer):
    gate = server.on_sts = Gate()
    async with open_vault() as vault, anyio.create_task_group() as tasks:
        for _ in range(200):
            tasks.start_soon(vault.session_for, grant())
        await server.until(lambda: server.waiting == 1)
        gate.open()
    assert len(server.sts) == 1
    assert vault.stats.assumed == 1


async def test_twenty_cold_tenants_are_all_in_flight_at_once(open_vault: OpenVault, server: StsServer):
    """No answer is given before all twenty have asked, so one after another would never end."""
    gate = server.on_sts = Gate()
    async with open_vault() as vault, anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(vault.session_for, grant(f"tenant-{number}"))
        await server.until(lambda: server.waiting == 20)
        gate.open()
    assert server.most_waiting == 20


async def test_a_thousand_warm_requests_make_no_sts_call(open_vault: OpenVault, server: StsServer):
    async with open_vault() as vault:
        session = await vault.session_for(grant())
        for _ in range(1_000):
            await vault.session_for(grant())
        await session.call("s3", "get_object", Bucket="datasets", Key="k")
    assert len(server.sts) == 1
    assert vault.stats.hits == 1_001


async def test_a_tenant_whose_sts_call_hangs_stalls_nobody_else(open_vault: OpenVault, server: StsServer):
    gate = server.on_sts = Gate("slow")
    async with open_vault() as vault, anyio.create_task_group() as tasks:
        tasks.start_soon(vault.session_for, grant("slow"))
        await server.until(lambda: server.waiting == 1)
        for number in range(20):
            session = await vault.session_for(grant(f"tenant-{number}"))
            await session.call("s3", "get_object", Bucket="datasets", Key="k")
        assert vault.stats.flights == 1
        gate.open()


async def test_the_first_waiter_may_give_up_and_the_others_still_get_the_session(
    open_vault: OpenVault, server: StsServer
):
    gate = server.on_sts = Gate()
    async with open_vault() as vault:
        first = asyncio.create_task(vault.session_for(grant()))
        await server.until(lambda: server.waiting == 1)
        second = asyncio.create_task(vault.session_for(grant()))
        await anyio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.open()
        assert (await second).tenant == "acme"
    assert len(server.sts) == 1


async def test_a_waiter_is_told_when_to_come_back_and_then_finds_the_session(open_vault: OpenVault, server: StsServer):
    gate = server.on_sts = Gate()
    async with open_vault(wait_seconds=0.01) as vault:
        failure = await failure_of(vault)
        assert isinstance(failure, Unavailable)
        assert failure.remedy.retry_after_seconds == 1.0
        gate.open()
        await settled(vault)
        await vault.session_for(grant())
    assert len(server.sts) == 1


@pytest.mark.requirement("sessions-kept")
async def test_a_session_is_renewed_in_the_background_while_it_still_serves(
    open_vault: OpenVault, server: StsServer, clock: Clock
):
    async with open_vault() as vault:
        session = await vault.session_for(grant())
        old = await session.credentials()
        gate = server.on_sts = Gate()
        clock.advance(3_600 - 300)
        assert await session.credentials() == old
        assert await session.credentials() == old
        await server.until(lambda: server.waiting == 1)
        gate.open()
        await settled(vault)
        assert await session.credentials() != old
    assert vault.stats.refreshed == 1
    assert len(server.sts) == 2


@pytest.mark.requirement("sts-down")
async def test_live_sessions_serve_until_they_end_while_sts_is_down_and_recovery_needs_no_restart(
    open_vault: OpenVault, server: StsServer, clock: Clock
):
    async with open_vault() as vault:
        session = await vault.session_for(grant())
        server.on_sts = failing_with("ServiceUnavailable", 503)
        ends = clock() + timedelta(seconds=3_600)
        while clock() < ends:
            await session.call("s3", "get_object", Bucket="datasets", Key="k")
            await settled(vault)
            clock.advance(50)
        assert len(server.sts) < 20, "an outage is not answered by a storm"
        assert isinstance(await failure_of(vault), Unavailable)
        assert isinstance(await failure_of(vault, tenant="globex"), Unavailable)
        server.on_sts = None
        clock.advance(2)
        await session.call("s3", "get_object", Bucket="datasets", Key="k")
        await vault.session_for(grant("globex"))


async def test_a_refused_renewal_leaves_the_session_open_until_it_ends(
    open_vault: OpenVault, server: StsServer, clock: Clock
):
    async with open_vault() as vault:
        session = await vault.session_for(grant())
        server.on_sts = failing_with("AccessDenied")
        clock.advance(3_600 - 300)
        for _ in range(5):
            await session.call("s3", "get_object", Bucket="datasets", Key="k")
            await settled(vault)
        assert len(server.sts) == 2, "the refusal is remembered for renewals too"
        clock.advance(300)
        with pytest.raises(NotPermitted):
            await session.credentials()


@pytest.mark.requirement("sessions-kept")
async def test_a_session_ends_with_the_token_that_opened_it(open_vault: OpenVault, server: StsServer, clock: Clock):
    expires = clock() + timedelta(minutes=5)
    async with open_vault() as vault:
        session = await vault.session_for(grant(token_expires=expires))
        clock.advance(299)
        await session.credentials()
        clock.advance(1)
        with pytest.raises(NotAuthenticated):
            await session.credentials()
        await vault.session_for(grant(token_expires=expires + timedelta(minutes=5)))
    assert len(server.sts) == 2, "the second token opens a session of its own"


async def test_a_renewal_that_could_not_last_longer_is_not_asked_for(
    open_vault: OpenVault, server: StsServer, clock: Clock
):
    expires = clock() + timedelta(minutes=5)
    async with open_vault() as vault:
        await vault.session_for(grant(token_expires=expires))
        clock.advance(290)
        await vault.session_for(grant(token_expires=expires))
        assert vault.stats.flights == 0
    assert len(server.sts) == 1


@pytest.mark.requirement("sessions-kept")
@pytest.mark.parametrize(
    ("code", "status", "kind", "seconds"),
    [
        ("AccessDenied", 403, NotPermitted, 10.0),
        ("Throttling", 400, Unavailable, 1.5),
        ("ServiceUnavailable", 503, Unavailable, 1.5),
        ("MalformedPolicyDocument", 400, Internal, 10.0),
        ("PackedPolicyTooLarge", 400, Internal, 10.0),
    ],
)
async def test_a_failure_is_remembered_for_a_little_and_no_longer(
    open_vault: OpenVault,
    server: StsServer,
    clock: Clock,
    code: str,
    status: int,
    kind: type[ToolFailure],
    seconds: float,
):
    server.on_sts = failing_with(code, status)
    async with open_vault() as vault:
        first = again = await failure_of(vault)
        assert type(first) is kind
        clock.advance(seconds - 0.5)
        for _ in range(50):
            again = await failure_of(vault)
        assert type(again) is kind
        assert len(server.sts) == 1
        if kind is Unavailable:
            assert first.remedy.retry_after_seconds == pytest.approx(seconds)
            assert again.remedy.retry_after_seconds == pytest.approx(0.5), "what is left, not the whole again"
        for failure in (first, again):
            assert not any(word in failure.sentence for word in ("arn:", "2100000", "i-0abc", code))
        server.on_sts = None
        clock.advance(0.5)
        await vault.session_for(grant())


def refusing(*tokens: str, code: str = "InvalidIdentityToken", after: asyncio.Event | None = None) -> Behaviour:
    """Refuses these web identities, once an event has happened."""

    async def refuse(request: Received) -> Reply | None:
        if after is not None:
            await after.wait()
        return sts_error(code, 400) if request.form["WebIdentityToken"] in tokens else None

    return refuse


@pytest.mark.parametrize(
    ("code", "kind"),
    [("InvalidIdentityToken", NotAuthenticated), ("AccessDenied", NotPermitted), ("PackedPolicyTooLarge", Internal)],
)
async def test_one_callers_bad_token_does_not_shut_out_the_others_of_the_tenant(
    open_vault: OpenVault, sts: Sts, server: StsServer, code: str, kind: type[ToolFailure]
):
    bad, good = token(holder="bad"), token(holder="good")
    server.on_sts = refusing(bad, code=code)
    async with open_vault(WebIdentityBroker(sts, policy=lambda _: None)) as vault:
        for _ in range(3):
            assert type(await failure_of(vault, token=bad)) is kind
        await vault.session_for(grant(token=good))
    assert [request.form["WebIdentityToken"] for request in server.sts] == [bad, good]


@pytest.mark.parametrize("tags", [{}, {TAGS: {"principal_tags": {"TenantId": ["globex"]}}}], ids=["none", "another's"])
async def test_a_token_without_its_tenants_tag_is_refused_alone_and_told_why(
    open_vault: OpenVault, sts: Sts, server: StsServer, tags: dict[str, Any]
):
    """It can neither fail the tenant's others nor leave them a session that opens nothing."""
    async with open_vault(WebIdentityBroker(sts, policy=lambda _: None)) as vault:
        for _ in range(3):
            failure = await failure_of(vault, token=token_with(tags))
            assert isinstance(failure, NotAuthenticated)
            assert "tag TenantId" in failure.sentence
        await vault.session_for(grant(token=token()))
        assert isinstance(await failure_of(vault, tenant="globex", token=token("acme")), NotAuthenticated)
        await vault.session_for(grant("globex", token=token("globex")))
    assert [request.form["WebIdentityToken"] for request in server.sts] == [token(), token("globex")]


async def test_callers_waiting_on_others_refused_tokens_try_their_own(
    open_vault: OpenVault, sts: Sts, server: StsServer
):
    bad, gate = [token(holder=f"bad-{number}") for number in range(5)], asyncio.Event()
    server.on_sts = refusing(*bad, after=gate)
    async with open_vault(WebIdentityBroker(sts, policy=lambda _: None)) as vault:
        refused = [asyncio.create_task(failure_of(vault, token=each)) for each in bad]
        await server.until(lambda: server.waiting == 1)
        good = asyncio.create_task(vault.session_for(grant(token=token(holder="good"))))
        await anyio.sleep(0)
        gate.set()
        for each in refused:
            assert isinstance(await each, NotAuthenticated)
        assert (await good).tenant == "acme"


@pytest.mark.parametrize("code", ["InvalidIdentityToken", "AccessDenied"])
async def test_a_bad_token_neither_closes_an_open_session_nor_puts_off_its_renewal(
    open_vault: OpenVault, sts: Sts, server: StsServer, clock: Clock, code: str
):
    bad, good = token(holder="bad"), token(holder="good")
    server.on_sts = refusing(bad, code=code)
    async with open_vault(WebIdentityBroker(sts, policy=lambda _: None)) as vault:
        opened = await vault.vend(grant(token=good))
        clock.advance(3_600 - 300)
        for _ in range(3):
            assert await vault.vend(grant(token=bad)) is opened
            await settled(vault)
        assert await vault.vend(grant(token=good)) is opened
        await settled(vault)
        assert await vault.vend(grant(token=good)) is not opened
    assert [request.form["WebIdentityToken"] for request in server.sts] == [good, bad, good]


@pytest.mark.requirement("sessions-kept")
async def test_the_least_recently_used_session_makes_room(open_vault: OpenVault, server: StsServer):
    async with open_vault(max_sessions=3) as vault:
        for tenant in ("a", "b", "c", "a", "d"):
            await vault.session_for(grant(tenant))
        assert vault.stats.sessions == 3
        assert vault.stats.evicted == 1
        await vault.session_for(grant("a"))
        assert len(server.sts) == 4
        await vault.session_for(grant("b"))
        assert len(server.sts) == 5


class InstantBroker:
    """Vends credentials as long as real ones, without STS: for measuring what the vault itself keeps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def prepare(self) -> None: ...

    async def assume(self, grant: Grant) -> Vended:
        name = f"{grant.tenant:0>16}"
        token = name * 64  # session tokens with a session policy have about 1,000 characters
        return Vended(FrozenCredentials(f"ASIA{name}", name * 3, token), self._clock() + timedelta(hours=1))


async def test_a_session_takes_a_few_kilobytes(open_vault: OpenVault, clock: Clock):
    async with open_vault(InstantBroker(clock)) as vault:
        await vault.session_for(grant("first"))
        tracemalloc.start()
        try:
            for number in range(1_000):
                await vault.session_for(grant(f"tenant-{number}"))
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert taken / 1_000 < 5 * 1024


@pytest.mark.requirement("sessions-kept")
async def test_sessions_are_kept_apart_by_server_role_tier_scopes_and_subject(open_vault: OpenVault, server: StsServer):
    others = [
        grant("Acme"),
        grant(server="pricing"),
        grant(role_arn="arn:aws:iam::210000000001:role/other"),
        grant(tier="basic"),
        grant(scopes=frozenset({"costs", "usage"})),
        grant(subject="ann"),
    ]
    async with open_vault() as vault:
        keys = {(await (await vault.session_for(each)).credentials()).access_key for each in [grant(), *others]}
    assert len(keys) == len(others) + 1


class SlowToPrepare(InstantBroker):
    """Is asked to prepare and never done with it, or fails at it."""

    def __init__(self, clock: Clock, error: Exception | None = None) -> None:
        super().__init__(clock)
        self.asked = anyio.Event()
        self._error = error

    async def prepare(self) -> None:
        self.asked.set()
        if self._error is not None:
            raise self._error
        await anyio.sleep_forever()


@pytest.mark.parametrize("error", [None, ValueError("no region")])
async def test_the_broker_prepares_in_the_background_and_neither_delays_nor_fails_anything(
    open_vault: OpenVault, clock: Clock, error: Exception | None
):
    broker = SlowToPrepare(clock, error)
    async with open_vault(broker) as vault:
        with anyio.fail_after(10):
            await broker.asked.wait()
        await vault.session_for(grant())


async def test_nothing_is_prepared_for_who_may_never_be_called(open_vault: OpenVault, clock: Clock):
    broker = SlowToPrepare(clock)
    async with open_vault(broker, prepare=False) as vault:
        await vault.session_for(grant())
        assert not broker.asked.is_set()


async def test_a_fault_in_one_tenants_policy_leaves_the_others_alone(open_vault: OpenVault, sts: Sts):
    def policy(asked: Grant) -> str | None:
        if asked.tenant == "broken":
            raise ValueError("no such policy")
        return None

    async with open_vault(AssumeRoleBroker(sts, policy=policy)) as vault:
        assert isinstance(await failure_of(vault, tenant="broken"), Internal)
        await vault.session_for(grant())


async def test_an_error_in_the_vaults_body_comes_out_as_it_is(open_vault: OpenVault):
    with pytest.raises(LookupError):
        async with open_vault():
            raise LookupError


async def test_closing_the_vault_ends_what_is_in_flight(open_vault: OpenVault, server: StsServer):
    server.on_sts = Gate()
    async with open_vault() as vault:
        waiting = asyncio.create_task(vault.session_for(grant()))
        await server.until(lambda: server.waiting == 1)
    with pytest.raises((Unavailable, RuntimeError)):
        await waiting
