"""Tokens, verified against a real issuer's key endpoint; nothing but the network is left out."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fixtures.refusals import TOKENS, Refusal
from hypothesis import given
from hypothesis import strategies as st
from tenantscope_core.identity.caller import Audience, is_tenant_id
from tenantscope_core.identity.claims import ClaimMap
from tenantscope_core.identity.keys import KeySet
from tenantscope_core.identity.refusal import CallerRefused, Reason, TokenRefused
from tenantscope_core.identity.verifier import TokenRules, Verifier
from tenantscope_core.results.errors import Unavailable
from tenantscope_sandbox.identity.issuer import AUDIENCE, Issuer
from tenantscope_sandbox.identity.keys import SigningKey
from tenantscope_sandbox.identity.server import application
from tenantscope_sandbox.state import State

ISSUER_URL = "http://issuer.test"


class Door:
    """A verifier in front of a real issuer that can be taken down, with a clock that tests move."""

    def __init__(self, state: State) -> None:
        self.now = datetime.now(UTC)
        self.down = False
        self.keys_answer: Callable[[], Any] | None = None
        self.issuer = Issuer(state, ISSUER_URL)
        self.issuer.keys.ensure()
        self._app = httpx2.ASGITransport(application(state, ISSUER_URL))
        self.http = httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer))
        self.keys = KeySet(ISSUER_URL, jwks_url=None, open_http=lambda: self.http, clock=lambda: self.now)

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        if self.down:
            raise httpx2.ConnectError("down", request=request)
        if self.keys_answer is not None and request.url.path == "/jwks.json":
            return httpx2.Response(200, json=self.keys_answer())
        return await self._app.handle_async_request(request)

    def verifier(self, rules: TokenRules | None = None, claims: ClaimMap | None = None) -> Verifier:
        rules = rules or TokenRules(ISSUER_URL, frozenset({AUDIENCE}))
        return Verifier(rules, claims or ClaimMap(), self.keys, clock=lambda: self.now)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    door = Door(State(tmp_path))
    yield door
    await door.http.aclose()


@pytest.mark.parametrize("refusal", TOKENS, ids=str)
async def test_a_token_that_proves_no_caller_is_refused_with_its_reason(door: Door, refusal: Refusal):
    with pytest.raises((TokenRefused, CallerRefused)) as refused:
        await door.verifier().identify(refusal.token(door.issuer))
    assert refused.value.reason is refusal.reason
    assert isinstance(refused.value, CallerRefused) == (refusal.status == 403)
    assert str(refused.value.sentence)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_a_genuine_token_names_its_tenant_tier_scopes_and_agent(door: Door, algorithm: str):
    token = door.issuer.token("acme", "growth", actor="planner", algorithm=algorithm, subject="ann")
    caller = (await door.verifier().identify(token)).caller
    assert (caller.tenant, caller.tier, caller.subject, caller.actors) == ("acme", "growth", "ann", ("planner",))
    assert caller.audience is Audience.TENANT
    assert {"costs:read"} <= caller.scopes
    assert caller.expires > door.now


async def test_a_provider_is_known_by_scope_and_has_no_tenant(door: Door):
    caller = (await door.verifier().identify(door.issuer.token())).caller
    assert caller.is_provider
    assert caller.tenant is None


@pytest.mark.requirement("claims-by-configuration")
async def test_a_provider_may_be_known_by_group_instead(door: Door):
    token = door.issuer.token(scopes=["costs:read"], claims={"cognito:groups": ["admins"]})
    assert (await door.verifier(claims=ClaimMap(provider_group="admins")).identify(token)).caller.is_provider
    with pytest.raises(CallerRefused):
        await door.verifier().identify(token)


@pytest.mark.requirement("claims-by-configuration")
async def test_claims_may_have_other_names_and_scopes_be_a_list(door: Door):
    claims = ClaimMap(tenant="org", tier="plan", scope="scp")
    token = door.issuer.token(claims={"org": "globex", "plan": "basic", "scp": ["a", "b"], "scope": None})
    caller = (await door.verifier(claims=claims).identify(token)).caller
    assert (caller.tenant, caller.tier, caller.scopes) == ("globex", "basic", {"a", "b"})


@pytest.mark.requirement("claims-by-configuration")
async def test_scopes_may_carry_the_prefix_of_a_resource_server(door: Door):
    token = door.issuer.token("acme", scopes=["tenantscope/costs:read", "openid"])
    caller = (await door.verifier(claims=ClaimMap(scope_prefix="tenantscope/")).identify(token)).caller
    assert caller.scopes == {"costs:read", "openid"}


async def test_a_cognito_access_token_is_accepted_by_client_and_use_in_place_of_an_audience(door: Door):
    verifier = door.verifier(TokenRules(ISSUER_URL, frozenset(), client_ids=frozenset({"app"})))
    cognito = {"aud": None, "client_id": "app", "token_use": "access"}
    assert (await verifier.identify(door.issuer.token("acme", claims=cognito))).caller.tenant == "acme"
    for change in ({"client_id": "other"}, {"token_use": None}, {"token_use": "id"}):
        with pytest.raises(TokenRefused):
            await verifier.identify(door.issuer.token("acme", claims=cognito | change))


@pytest.mark.requirement("audience-required")
@pytest.mark.parametrize("rules", [{"audiences": frozenset[str]()}, {"algorithms": frozenset({"HS256"})},
                                   {"algorithms": frozenset({"none"})}, {"algorithms": frozenset[str]()}])  # fmt: skip
def test_rules_without_an_audience_or_with_a_shared_secret_are_refused(rules: dict[str, frozenset[str]]):
    with pytest.raises(ValueError):
        TokenRules(**{"issuer": ISSUER_URL, "audiences": frozenset({"a"})} | rules)  # pyright: ignore[reportArgumentType]


async def test_keys_are_asked_for_once_for_many_tokens(door: Door):
    verifier = door.verifier()
    for _ in range(50):
        await verifier.identify(door.issuer.token("acme"))
    assert door.keys.fetches == 1


@pytest.mark.requirement("keys-survive")
async def test_rotation_is_noticed_by_an_unknown_key_and_earlier_tokens_stay_good(door: Door):
    verifier = door.verifier()
    before = door.issuer.token("acme")
    await verifier.identify(before)
    door.issuer.keys.rotate()
    door.now += timedelta(seconds=31)
    await verifier.identify(door.issuer.token("acme"))
    await verifier.identify(before)
    assert door.keys.fetches == 2


@pytest.mark.requirement("keys-survive")
async def test_invented_keys_do_not_make_us_ask_the_issuer_more_than_every_30_seconds(door: Door):
    verifier = door.verifier()
    await verifier.identify(door.issuer.token("acme"))
    door.now += timedelta(seconds=31)
    for _ in range(20):
        with pytest.raises(TokenRefused) as refused:
            await verifier.identify(door.issuer.token("acme", key=SigningKey.generate("ES256"), algorithm="ES256"))
        assert refused.value.reason is Reason.UNKNOWN_KEY
    assert door.keys.fetches == 2


async def test_a_key_that_the_issuer_dropped_is_refused_after_five_minutes(door: Door):
    verifier = door.verifier()
    before = door.issuer.token("acme")
    await verifier.identify(before)
    door.issuer.keys.rotate()
    door.issuer.keys.drop_replaced()
    door.now += timedelta(minutes=10)
    with pytest.raises(TokenRefused) as refused:
        await verifier.identify(before)
    assert refused.value.reason is Reason.UNKNOWN_KEY


@pytest.mark.requirement("keys-survive")
async def test_an_issuer_that_is_down_is_survived_on_cached_keys_and_needs_no_restart(door: Door):
    verifier = door.verifier()
    token = door.issuer.token("acme")
    await verifier.identify(token)
    door.down = True
    door.now += timedelta(minutes=11)
    await verifier.identify(token)
    stranger = door.issuer.token("acme", key=SigningKey.generate("RS256"))
    with pytest.raises(Unavailable) as refused:
        await verifier.identify(stranger)
    assert (refused.value.remedy.retry_after_seconds or 0) > 0
    door.down = False
    door.now += timedelta(seconds=31)
    with pytest.raises(TokenRefused):
        await verifier.identify(stranger)


async def test_an_issuer_that_never_answered_is_unavailable_and_not_unauthenticated(door: Door):
    door.down = True
    with pytest.raises(Unavailable):
        await door.verifier().identify(door.issuer.token("acme"))


def _with_junk(good: dict[str, Any]) -> dict[str, Any]:
    return {"keys": [None, 7, "key", {"kty": "RSA"}, {**good["keys"][0], "alg": ["RS256"]}, *good["keys"]]}


async def test_junk_among_the_keys_leaves_the_good_ones_good(door: Door):
    door.keys_answer = lambda: _with_junk(door.issuer.keys.jwks())
    assert (await door.verifier().identify(door.issuer.token("acme"))).caller.tenant == "acme"


@pytest.mark.parametrize(
    "nonsense", [{}, {"keys": []}, {"keys": 5}, {"keys": [None]}, {"error": "overloaded"}, [], "x"]
)
async def test_a_key_endpoint_that_answers_nonsense_counts_as_unreachable(door: Door, nonsense: Any):
    verifier = door.verifier()
    token = door.issuer.token("acme")
    await verifier.identify(token)
    door.keys_answer = lambda: nonsense
    for minutes in (11, 30, 600):
        door.now += timedelta(minutes=minutes)
        await verifier.identify(door.issuer.token("acme", issued_at=door.now.timestamp()))
    with pytest.raises(Unavailable):
        await verifier.identify(door.issuer.token("acme", key=SigningKey.generate("RS256")))


async def test_a_document_that_never_ends_is_given_up(door: Door):
    door.keys_answer = lambda: {"keys": [], "filler": "x" * 2_000_000}
    with pytest.raises(Unavailable):
        await door.verifier().identify(door.issuer.token("acme"))


async def test_a_token_may_begin_a_little_ahead_of_our_clock_and_ends_when_it_ends(door: Door):
    verifier = door.verifier()
    token = door.issuer.token("acme", issued_at=int(door.now.timestamp()) + 5, lifetime_seconds=60)
    await verifier.identify(token)
    door.now += timedelta(seconds=66)
    with pytest.raises(TokenRefused) as refused:
        await verifier.identify(token)
    assert refused.value.reason is Reason.EXPIRED


@pytest.mark.parametrize("scope", ["costs:read\x0bprovider", "costs:read\u00a0provider", "costs:read\tprovider"])
async def test_only_a_space_separates_scopes(door: Door, scope: str):
    with pytest.raises(CallerRefused):
        await door.verifier().identify(door.issuer.token(claims={"scope": scope}))


async def test_a_group_is_its_whole_name(door: Door):
    token = door.issuer.token(scopes=[], claims={"cognito:groups": "external service provider"})
    with pytest.raises(CallerRefused):
        await door.verifier(claims=ClaimMap(provider_group="provider")).identify(token)


async def test_a_discovery_document_of_another_issuer_is_not_believed(tmp_path: Path):
    state = State(tmp_path)
    issuer = Issuer(state, "http://evil.test")
    issuer.keys.ensure()
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(application(state, "http://evil.test")))
    async with http:
        keys = KeySet(ISSUER_URL, jwks_url=None, open_http=lambda: http, clock=lambda: datetime.now(UTC))
        verifier = Verifier(
            TokenRules(ISSUER_URL, frozenset({AUDIENCE})), ClaimMap(), keys, clock=lambda: datetime.now(UTC)
        )
        with pytest.raises(Unavailable):
            await verifier.identify(issuer.token("acme", issuer=ISSUER_URL))


async def test_an_identity_never_shows_its_token(door: Door):
    token = door.issuer.token("acme")
    assert token not in repr(await door.verifier().identify(token))


@pytest.mark.requirement("tenant-ids-as-they-are")
@given(st.text(max_size=80))
def test_a_tenant_id_has_only_characters_that_cannot_separate_or_match(text: str):
    if is_tenant_id(text):
        assert text.isascii()
        assert not set(text) & set("/:*?${}.\\\"' \n\t%,=@")
        assert 1 <= len(text) <= 63
