"""Tokens and keys stay where they are: not in answers, not in logs, and nowhere but to STS."""

import logging
from pathlib import Path

import pytest
from contract.calls import arguments_for, audiences, working_arguments
from fixtures.leaks import assert_tells_nothing_of_the_inside
from fixtures.refusals import TOKENS
from fixtures.serving import SERVERS, Served, call_of, environment_of, serve
from isolation.doors import Door, StdioDoor
from tenantscope_core.identity.caller import Audience
from tenantscope_sandbox import Sandbox


def signature_of(token: str) -> str:
    return token.rpartition(".")[2]


@pytest.mark.requirement("nothing-leaks")
async def test_no_answer_tells_of_the_inside(served: Served, door: Door):
    for audience, tenant in ((Audience.TENANT, "acme"), (Audience.PROVIDER, None)):
        for tool in audiences(served.spec, audience):
            token = served.token(tenant)
            given = await working_arguments(served.spec, tool, audience, served.asking(token))
            result = (await door.call(token, tool.name, given)).model_dump_json()
            assert_tells_nothing_of_the_inside(result, served.sandbox)
            assert signature_of(token) not in result


@pytest.mark.requirement("nothing-leaks")
async def test_no_log_line_holds_a_token_or_a_key(served: Served, caplog: pytest.LogCaptureFixture):
    """Of calls that work, that are refused, and whose role cannot be assumed."""
    caplog.set_level(logging.DEBUG, "tenantscope_core")
    caplog.set_level(logging.DEBUG, "tenantscope")
    sandbox, tokens = served.sandbox, list[str]()
    for refusal in TOKENS:
        token = refusal.token(sandbox.issuer)
        if token is not None and token.count(".") == 2:
            tokens.append(token)
            await served.post(call_of(served.spec.tools[0].name), token)
    for tool in audiences(served.spec, Audience.TENANT):
        tokens.append(served.token())
        await served.post(call_of(tool.name, arguments_for(tool, Audience.TENANT)), tokens[-1])
    assert "tool_call" in caplog.text
    keys = {sandbox.execution.secret_access_key, sandbox.external_id}
    for secret in (*(signature_of(token) for token in tokens if len(signature_of(token)) > 20), *keys):
        assert secret not in caplog.text


@pytest.mark.requirement("nothing-leaks")
async def test_on_stdio_the_log_at_its_most_talkative_holds_none_either(served: Served, stdio_door: StdioDoor):
    tokens = [served.token(), served.token("globex"), served.token(None)]
    for token in tokens:
        for tool in served.spec.tools:
            await stdio_door.call(token, tool.name, arguments_for(tool, Audience.TENANT))
    log = stdio_door.log.read_text()
    assert "tool_call" in log
    sandbox = served.sandbox
    for secret in (*map(signature_of, tokens), sandbox.execution.secret_access_key, sandbox.external_id):
        assert secret not in log


@pytest.mark.requirement("every-call-brokered")
@pytest.mark.requirement("nothing-leaks")
async def test_a_role_that_refuses_is_told_without_its_name(served: Served, small_company: Sandbox):
    """The external id is wrong, so no call passes the broker: a refused AssumeRole refuses the call."""
    server = next(each for each in SERVERS if each.spec.name == served.spec.name)
    environment = environment_of(server, small_company, TENANTSCOPE_EXTERNAL_ID="another")
    async with serve(served.spec, environment, small_company) as misconfigured:
        for tool in audiences(served.spec, Audience.TENANT):
            response = await misconfigured.post(
                call_of(tool.name, arguments_for(tool, Audience.TENANT)), served.token()
            )
            assert '"isError":true' in response.text
            assert '"not_permitted"' in response.text
            assert_tells_nothing_of_the_inside(response.text, small_company)


@pytest.mark.requirement("token-goes-nowhere")
async def test_the_callers_token_reaches_no_service_of_the_cloud(served: Served, small_company: Sandbox):
    emulator = small_company.emulator
    token, mark = served.token(subject="token-goes-nowhere"), emulator.mark()
    for tool in audiences(served.spec, Audience.TENANT):
        await served.post(call_of(tool.name, arguments_for(tool, Audience.TENANT)), token)
    with Path(small_company.state.root / "aws/requests.jsonl").open(encoding="utf-8") as log:
        log.seek(mark)
        assert signature_of(token) not in log.read()
