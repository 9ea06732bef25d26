"""A verifier that remembers tokens never differs from one that remembers nothing, whatever time and issuer do."""

import functools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenantscope_core.identity.caller import Audience, Caller
from tenantscope_core.identity.claims import ClaimMap
from tenantscope_core.identity.keys import KeySet
from tenantscope_core.identity.refusal import CallerRefused, Reason, TokenRefused
from tenantscope_core.identity.verified import Verified, VerifiedTokens
from tenantscope_core.identity.verifier import Identity, TokenRules, Verifier
from tenantscope_core.results.errors import Unavailable
from tenantscope_sandbox.identity.issuer import AUDIENCE, Issuer
from tenantscope_sandbox.identity.keys import SigningKey
from tenantscope_sandbox.state import State

ISSUER_URL = "http://issuer.test"
NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
FIRST, SECOND = SigningKey.generate("ES256"), SigningKey.generate("ES256")
IMPOSTOR = SigningKey(FIRST.kid, "ES256", SigningKey.generate("ES256").pem)  # another key under the first one's name
NAMELESS = SigningKey("", "ES256", FIRST.pem)
KEYS = (FIRST, SECOND, IMPOSTOR, NAMELESS)


class World:
    """An issuer whose keys, presence and clock move."""

    def __init__(self) -> None:
        self.now = NOON
        self.listed: Sequence[SigningKey] = (FIRST,)
        self.down = False
        self.http = httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer))
        self.keys = KeySet(
            ISSUER_URL, jwks_url=f"{ISSUER_URL}/jwks.json", open_http=lambda: self.http, clock=lambda: self.now
        )
        self.remembering = self.verifier()

    def verifier(self) -> Verifier:
        rules = TokenRules(ISSUER_URL, frozenset({AUDIENCE}))
        return Verifier(rules, ClaimMap(), self.keys, clock=lambda: self.now)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        if self.down:
            raise httpx2.ConnectError("down", request=request)
        return httpx2.Response(200, json={"keys": [key.jwk() for key in self.listed]})


@functools.cache
def tokens() -> tuple[str, ...]:
    """Tokens of each key, good and odd; the nameless key's say no key id."""
    made: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        issuer = Issuer(State(Path(folder)), ISSUER_URL)
        issuer.keys.ensure()
        for key in KEYS:
            for begins, seconds in [(0, 3_600), (0, 40), (90, 200), (0, 40_000)]:
                at = NOON.timestamp() + begins
                made.append(issuer.token("acme", "gold", key=key, issued_at=at, lifetime_seconds=seconds))
        sign = functools.partial(issuer.token, key=FIRST, issued_at=NOON.timestamp(), lifetime_seconds=40_000)
        made += [sign("acme", audience="https://other.example"), sign("acme", issuer="http://other.test"), sign()]
        made.append(sign(scopes=["costs:read"]))
        made += [_without_key_id(sign("acme")) for _ in range(2)]
    return (*made, "not.a.token", made[0][:-2], made[0].replace(".", ".."))


def _without_key_id(token: str) -> str:
    """The same claims by the first key, whose name is left out."""
    return jwt.encode(jwt.decode(token, options={"verify_signature": False}), FIRST.private(), "ES256")


async def outcome(verifier: Verifier, token: str) -> object:
    try:
        return await verifier.identify(token)
    except (TokenRefused, CallerRefused) as refused:
        return type(refused), refused.reason
    except Unavailable:
        return Unavailable


@dataclass(frozen=True)
class Ask:
    number: int


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class List:
    keys: Sequence[SigningKey]


@dataclass(frozen=True)
class Down:
    is_down: bool


LISTED = [(FIRST,), (SECOND,), (FIRST, SECOND), (IMPOSTOR,), (NAMELESS,)]
STEPS = st.lists(
    st.one_of(
        st.builds(Ask, st.integers(0, 23)),
        st.builds(Ask, st.integers(0, 3)),  # the same few again and again
        st.builds(Wait, st.sampled_from([0.5, 5.0, 29.0, 31.0, 45.0, 80.0, 100.0, 299.0, 301.0, 601.0, 4e3, 9e4])),
        st.builds(List, st.sampled_from(LISTED)),
        st.builds(Down, st.booleans()),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
async def test_remembering_changes_no_outcome(steps: list[Ask | Wait | List | Down]):
    world = World()
    async with world.http:
        for step in steps:
            match step:
                case Ask(number):
                    token = tokens()[number]
                    remembered = await outcome(world.remembering, token)
                    assert remembered == await outcome(world.verifier(), token)
                case Wait(seconds):
                    world.now += timedelta(seconds=seconds)
                case List(keys):
                    world.listed = keys
                case Down(is_down):
                    world.down = is_down


@pytest.fixture
async def world() -> World:
    return World()


def a_token(world: World, **given: Any) -> str:
    with tempfile.TemporaryDirectory() as folder:
        issuer = Issuer(State(Path(folder)), ISSUER_URL)
        return issuer.token("acme", key=FIRST, issued_at=world.now.timestamp(), **given)


class Counted:
    """Counts how often a signature is checked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        self._decode = jwt.decode
        monkeypatch.setattr(jwt, "decode", self)

    def __call__(self, *words: Any, **named: Any) -> Any:
        self.times += 1
        return self._decode(*words, **named)


async def test_a_token_is_taken_apart_once_as_long_as_its_key_stands(world: World, monkeypatch: pytest.MonkeyPatch):
    token, decoded = a_token(world), Counted(monkeypatch)
    for _ in range(20):
        assert (await world.remembering.identify(token)).caller.tenant == "acme"
    assert decoded.times == 1
    world.now += timedelta(minutes=11)  # the keys are fetched anew
    await world.remembering.identify(token)
    assert decoded.times == 2


async def test_a_remembered_token_ends_to_the_second(world: World):
    token = a_token(world, lifetime_seconds=60)
    await world.remembering.identify(token)
    world.now += timedelta(seconds=59)
    await world.remembering.identify(token)
    world.now += timedelta(seconds=1)
    assert await outcome(world.remembering, token) == (TokenRefused, Reason.EXPIRED)


async def test_a_clock_that_is_set_back_takes_a_token_back_that_has_not_begun(world: World):
    token = a_token(world)
    await world.remembering.identify(token)
    world.now -= timedelta(seconds=30)
    assert await outcome(world.remembering, token) == (TokenRefused, Reason.NOT_YET_VALID)


async def test_a_refusal_is_never_remembered(world: World):
    token = a_token(world, claims={"nbf": int(world.now.timestamp()) + 60})
    assert await outcome(world.remembering, token) == (TokenRefused, Reason.NOT_YET_VALID)
    world.now += timedelta(seconds=60)
    assert (await world.remembering.identify(token)).caller.tenant == "acme"


async def test_a_key_that_the_issuer_replaced_under_the_same_name_ends_what_it_signed(world: World):
    token = a_token(world)
    await world.remembering.identify(token)
    world.listed = (IMPOSTOR,)
    world.now += timedelta(minutes=11)
    assert await outcome(world.remembering, token) == (TokenRefused, Reason.SIGNATURE)


async def test_a_key_that_the_issuer_dropped_ends_what_it_signed(world: World):
    token = a_token(world)
    await world.remembering.identify(token)
    world.listed = (SECOND,)
    world.now += timedelta(minutes=11)
    assert await outcome(world.remembering, token) == (TokenRefused, Reason.UNKNOWN_KEY)


async def test_what_one_verifier_remembers_says_nothing_to_another_with_other_rules(world: World):
    token = a_token(world)
    await world.remembering.identify(token)
    other = Verifier(
        TokenRules(ISSUER_URL, frozenset({"https://other.example"})), ClaimMap(), world.keys, clock=lambda: world.now
    )
    assert await outcome(other, token) == (TokenRefused, Reason.AUDIENCE)


async def test_each_call_gets_the_token_that_it_brought(world: World):
    token, other = a_token(world), a_token(world)
    identities = [await world.remembering.identify(each) for each in (token, other, token)]
    assert [identity.token for identity in identities] == [token, other, token]
    assert all(isinstance(identity, Identity) for identity in identities)


def test_what_is_remembered_is_bounded_and_the_least_recently_used_makes_room():
    remembered = VerifiedTokens(max_entries=3)
    caller = Caller("ann", Audience.TENANT, "acme", None, frozenset(), NOON)
    verified = Verified(caller, FIRST.kid, jwt.PyJWK(FIRST.jwk()), 0, 1)
    for token in ("a", "b", "c"):
        remembered.keep(token, verified)
    assert remembered.get("a") is verified
    remembered.keep("d", verified)
    assert (remembered.get("b"), len(remembered)) == (None, 3)
    assert remembered.get("a") is verified


def test_no_token_is_kept():
    remembered = VerifiedTokens()
    caller = Caller("ann", Audience.TENANT, "acme", None, frozenset(), NOON)
    remembered.keep("secret-token", Verified(caller, None, jwt.PyJWK(FIRST.jwk()), 0, 1))
    assert "secret-token" not in repr(vars(remembered))
