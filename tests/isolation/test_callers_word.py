"""What a caller says of itself beside its token counts for nothing, over every transport."""

import json
from typing import Any

import pytest
from contract.calls import arguments_for, audiences, some_call
from fixtures.leaks import assert_tells_nothing_of_the_inside
from fixtures.serving import Served, answer_of, call_of, content_of, error_fields, text_of
from isolation.doors import Door
from isolation.test_filter_alone import assert_about
from isolation.test_refused_tokens import challenge_of
from tenantscope_core.identity.caller import Audience
from tenantscope_core.tool import Tool

LOOKALIKES = (
    "*", "acm*", "?", "", " acme", "acme ", "acme\n", "аcme", "ａcme", "../globex", "acme/../globex", "acme/", "acme:x",
    "${aws:PrincipalTag/TenantId}", "a" * 64, "%61cme", "acme\0", 7, ["acme"], {"id": "acme"}, True,
)  # fmt: skip
MEANT = {"recall": {"query"}}
"""Texts that are compared by meaning, among the caller's own: a wildcard is a word like any other."""
HEADERS = ("x-tenant-id", "x-tenantid", "tenant-id", "x-tenantscope-tenant")


def needed_by(tool: Tool) -> frozenset[str]:
    """Every scope that a call of a tool needs."""
    return tool.scopes | frozenset(["provider"] if tool.shown_to.value == "provider" else [])


@pytest.mark.requirement("tenant-argument-refused")
@pytest.mark.parametrize("named", ["acme", "globex", None, "*", "", ["globex"]])
async def test_a_tenant_that_names_a_tenant_is_refused_its_own_too(served: Served, door: Door, named: Any):
    for tool in audiences(served.spec, Audience.TENANT):
        result = await door.call(served.token(), tool.name, {"tenant_id": named})
        fields = error_fields(result)
        assert (fields["code"], fields["action"], fields["parameter"]) == ("invalid_argument", "change", "tenant_id")
        assert "token" in text_of(result)


@pytest.mark.requirement("tenant-argument-refused")
@pytest.mark.parametrize("named", ["tenantId", "tenant", "Tenant_Id", "tenant_id ", "custom:tenantId"])
async def test_no_other_spelling_of_it_is_taken(served: Served, door: Door, named: str):
    for tool in audiences(served.spec, Audience.TENANT):
        fields = error_fields(await door.call(served.token(), tool.name, {named: "globex"}))
        assert fields["code"] == "invalid_argument"


@pytest.mark.requirement("wildcards-refused")
@pytest.mark.parametrize("named", LOOKALIKES, ids=repr)
async def test_the_provider_names_one_tenant_or_is_refused(served: Served, door: Door, named: Any):
    """What is no tenant id is refused as it stands: nothing is trimmed, folded or cleaned."""
    for tool in audiences(served.spec, Audience.PROVIDER):
        if tool.names_tenant != "no":
            fields = error_fields(await door.call(served.token(None), tool.name, {"tenant_id": named}))
            assert (fields["code"], fields["parameter"]) == ("invalid_argument", "tenant_id")


@pytest.mark.requirement("wildcards-refused")
async def test_a_wildcard_in_a_filter_opens_nothing(served: Served, door: Door):
    """It is refused, or taken literally and finds nothing; it never widens the question beyond the caller.

    A tool that writes takes texts to keep, which are no filters.
    """
    for audience, tenant in ((Audience.TENANT, "acme"), (Audience.PROVIDER, None)):
        for tool in (one for one in audiences(served.spec, audience) if one.effects.read_only):
            given = arguments_for(tool, audience)
            for name, schema in tool.listed(audience).input_schema["properties"].items():
                if name in ("tenant_id", "period", "cursor") or schema.get("type") != "string" or "enum" in schema:
                    continue
                for wildcard in ("*", "%", "a*", "owner=*"):
                    result = await door.call(served.token(tenant), tool.name, {**given, name: wildcard})
                    if result.is_error:
                        assert error_fields(result)["code"] in ("invalid_argument", "not_found")
                    else:
                        found = content_of(result)
                        assert_about(found, tenant)
                        nothing = found.get("count") == 0 or found.get("hit") is False
                        assert nothing or name in MEANT.get(tool.name, ()), (tool.name, name, wildcard)


@pytest.mark.requirement("tenant-header-refused")
@pytest.mark.parametrize("header", HEADERS)
async def test_a_header_that_names_another_tenant_is_refused(served: Served, header: str):
    message, token = call_of(some_call(served.spec)), served.token()
    for forged in ("globex", "acme_corp", "ACME", "", "*", "acme,globex"):
        async with served.http(token) as http:
            response = await http.post("/mcp", json=message, headers={header: forged})
        assert response.status_code == 403
        assert response.json()["reason"] == "tenant_header_differs"
        assert "token" in response.json()["error_description"]
    async with served.http(token) as http:
        twice = await http.post("/mcp", json=message, headers=[(header, "acme"), (header, "globex")])
    assert twice.status_code == 403


@pytest.mark.requirement("tenant-header-refused")
@pytest.mark.parametrize("header", [*HEADERS, "x-amzn-tenant", "x-custom-tenantid", "mcp-param-tenant-id", "tenant"])
async def test_no_header_makes_an_answer_another_tenants(served: Served, header: str):
    message, token = call_of(some_call(served.spec)), served.token()
    plain = await served.post(message, token)
    async with served.http(token) as http:
        named = await http.post(
            "/mcp", json=message, headers=[(header, "acme"), ("accept", "application/json, text/event-stream")]
        )
        forged = await http.post(
            "/mcp", json=message, headers=[(header, "globex"), ("accept", "application/json, text/event-stream")]
        )
    for answer in (named, forged):
        if answer.status_code == 200:
            assert data_of(answer_of(answer)) == data_of(answer_of(plain))
    assert named.status_code == 200
    assert forged.status_code == (403 if header in HEADERS else 200)


def data_of(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what differs between two calls of one caller."""
    content: dict[str, Any] = answer["result"]["structuredContent"]
    return {name: value for name, value in content.items() if name != "expires_in_seconds"}


@pytest.mark.requirement("scope-short")
async def test_over_http_a_scope_short_is_told_with_every_scope_that_is_needed(served: Served):
    for tool in served.spec.tools:
        needed = needed_by(tool)
        for tenant, scopes in (("acme", []), ("acme", ["other:read"]), (None, ["provider"])):
            of_a_tenant_alone = tenant is None and tool.shown_to.value == "tenant"
            if needed <= set(scopes) or of_a_tenant_alone:
                continue
            response = await served.post(call_of(tool.name), served.token(tenant, scopes=scopes))
            assert response.status_code == 403
            challenge = challenge_of(response.headers["www-authenticate"])
            assert challenge["error"] == "insufficient_scope"
            assert challenge["scope"].split() == sorted(needed)
            assert challenge["resource_metadata"]
            assert response.json()["required_scopes"] == sorted(needed)
            assert all(scope in challenge["error_description"] for scope in needed)


@pytest.mark.requirement("scope-short")
async def test_on_the_path_itself_a_scope_short_is_a_typed_error(served: Served, stdio_door: Door):
    for tool in served.spec.tools:
        needed = needed_by(tool)
        if needed:
            fields = error_fields(await stdio_door.call(served.token(scopes=[]), tool.name, {}))
            assert (fields["code"], fields["action"]) == ("insufficient_scope", "ask")
            assert fields["required_scopes"] == sorted(needed)


@pytest.mark.requirement("scope-short")
async def test_a_scope_that_contains_the_needed_one_is_not_it(served: Served):
    for tool in served.spec.tools:
        for scope in tool.scopes:
            for near in (scope.upper(), f"{scope}x", f"x{scope}", scope.replace(":", ""), "*"):
                response = await served.post(call_of(tool.name), served.token(scopes=[near]))
                assert response.status_code == 403


@pytest.mark.requirement("suspended-refused")
@pytest.mark.parametrize(("tenant", "said"), [("tundra", "suspended"), ("yonder", "pending"), ("nowhere", "registry")])
async def test_a_tenant_that_is_not_active_is_refused(served: Served, door: Door, tenant: str, said: str):
    for tool in audiences(served.spec, Audience.TENANT):
        result = await door.call(served.token(tenant), tool.name, arguments_for(tool, Audience.TENANT))
        fields = error_fields(result)
        code = "tenant_not_registered" if tenant == "nowhere" else "tenant_suspended"
        assert (fields["code"], fields["action"]) == (code, "ask")
        assert said in text_of(result)


@pytest.mark.requirement("nothing-leaks")
async def test_no_refusal_tells_of_the_inside(served: Served, door: Door):
    cases: list[tuple[str, dict[str, Any]]] = [
        (served.token("tundra"), {}), (served.token("nowhere"), {}), (served.token(), {"tenant_id": "globex"}),
        (served.token(), {"no_such": json.dumps({"a": 1})}),
    ]  # fmt: skip
    for token, arguments in cases:
        result = await door.call(token, some_call(served.spec), arguments)
        assert result.is_error
        assert_tells_nothing_of_the_inside(result.model_dump_json(), served.sandbox)
        assert token not in result.model_dump_json()
