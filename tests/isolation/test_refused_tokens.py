"""Every token that proves no caller is refused over every transport, for its own reason, and the server lives on."""

import re

import pytest
from contract.calls import some_call
from fixtures.leaks import assert_tells_nothing_of_the_inside
from fixtures.refusals import TOKENS, Refusal
from fixtures.serving import Served, answer_of, call_of, content_of, error_fields, request_of, text_of
from isolation.doors import StdioDoor
from mcp.shared.exceptions import MCPError
from tenantscope_core.identity.refusal import CallerRefused, Reason, TokenRefused

pytestmark = pytest.mark.requirement("tokens-refused")

every_refusal = pytest.mark.parametrize("refusal", TOKENS, ids=str)
CODES = {401: "not_authenticated", 403: "not_permitted"}


def challenge_of(header: str) -> dict[str, str]:
    """The fields of a Bearer challenge."""
    scheme, _, fields = header.partition(" ")
    assert scheme == "Bearer"
    return dict(re.findall(r'(\w+)="([^"]*)"', fields))


async def sentence_for(served: Served, token: str | None) -> str:
    with pytest.raises((TokenRefused, CallerRefused)) as refused:
        await served.assembly.verifier.identify(token)
    return refused.value.sentence


@every_refusal
@pytest.mark.parametrize("method", ["tools/call", "tools/list"])
async def test_over_http_it_is_refused_with_its_reason_and_the_way_to_a_token(
    served: Served, refusal: Refusal, method: str, caplog: pytest.LogCaptureFixture
):
    token = refusal.token(served.sandbox.issuer)
    message = call_of(some_call(served.spec)) if method == "tools/call" else request_of(method)
    response = await served.post(message, token)
    assert response.status_code == refusal.status
    told = response.json()
    assert (told["reason"], told["code"]) == (refusal.reason, CODES[refusal.status])
    assert told["error_description"] == await sentence_for(served, token)
    challenge = challenge_of(response.headers["www-authenticate"])
    assert challenge["resource_metadata"].endswith("/.well-known/oauth-protected-resource/mcp")
    assert challenge["error_description"]
    if refusal.status == 401:
        assert challenge["scope"].split() == served.spec.scopes
    assert ("error" in challenge) == (refusal.reason is not Reason.MISSING)
    assert_tells_nothing_of_the_inside(response.text, served.sandbox)
    assert told["error_description"] in caplog.text
    assert token is None or token not in caplog.text


async def test_over_stdio_each_is_a_typed_error_with_the_same_sentence_and_the_process_lives_on(
    served: Served, stdio_door: StdioDoor
):
    issuer, name = served.sandbox.issuer, some_call(served.spec)
    for refusal in TOKENS:
        token = refusal.token(issuer)
        result = await stdio_door.call(token, name, {})
        code = error_fields(result)["code"]
        assert code == CODES[refusal.status], refusal
        assert text_of(result) == f"{code}: {await sentence_for(served, token)}", refusal
        with pytest.raises(MCPError, match=code):
            await stdio_door.client.list_tools(cache_mode="bypass")
    assert content_of(await stdio_door.call(served.token(), name, {}))
    assert (await stdio_door.client.list_tools(cache_mode="bypass")).tools


async def test_over_http_a_good_token_is_served_after_all_of_them(served: Served):
    message = call_of(some_call(served.spec))
    for refusal in TOKENS:
        await served.post(message, refusal.token(served.sandbox.issuer))
    assert answer_of(await served.post(message, served.token()))["result"]["structuredContent"]


async def test_each_reason_has_a_sentence_of_its_own(served: Served):
    reasons: dict[str, Reason] = {}
    for refusal in TOKENS:
        sentence = await sentence_for(served, refusal.token(served.sandbox.issuer))
        assert reasons.setdefault(sentence, refusal.reason) is refusal.reason, sentence
    assert len(reasons) >= len({refusal.reason for refusal in TOKENS})


@pytest.mark.parametrize(
    "credentials", [["Basic YWNtZTphY21l"], ["Bearer"], ["Bearer {0}", "Bearer {0}"], ["{0}"], ["Bearer {0} {0}"]]
)
async def test_over_http_a_header_of_another_form_is_refused(served: Served, credentials: list[str]):
    token = served.token()
    headers = [("authorization", each.format(token)) for each in credentials]
    async with served.http() as http:
        response = await http.post("/mcp", json=call_of(some_call(served.spec)), headers=headers)
    assert response.status_code == 401


async def test_over_http_a_token_in_the_url_or_a_cookie_is_none(served: Served):
    token = served.token()
    async with served.http() as http:
        for url, cookie in ((f"/mcp?access_token={token}", ""), ("/mcp", f"access_token={token}; bearer={token}")):
            response = await http.post(url, json=call_of(some_call(served.spec)), headers={"cookie": cookie})
            assert response.status_code == 401
            assert response.json()["reason"] == "token_missing"
