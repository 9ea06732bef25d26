"""Arguments that nobody meant: always an answer that fits, or one of our errors; never silence, never the inside."""

import json
import string
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from boto3.dynamodb.types import TypeDeserializer
from catalogue import StandingServer
from contract.calls import arguments_for, audiences, some_call, working_arguments
from contract.schemas import input_of
from fixtures.leaks import assert_tells_nothing_of_the_inside, secrets_of
from fixtures.serving import ACCEPT, SERVERS, Served, answer_of, call_of, environment_of, request_of, serve
from fixtures.small_company import founded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tenantscope_core.identity.caller import Audience
from tenantscope_core.results.errors import ToolFailure
from tenantscope_core.tool import Tool
from tenantscope_core.tool.outcome import ERROR_FIELDS
from tenantscope_sandbox import Sandbox
from tenantscope_tenant_management.audit import Head, broken_at
from tenantscope_tenant_management.sources.journal import HEAD, entry_of
from tenantscope_tenant_management.sources.tags import tag_items

TRAPS = (
    "", " ", "*", "%", "'", '"', "';--", "' OR 1=1 --", "../globex", "globex", "acme/../globex", "${aws:userid}", "\0",
    "\n", "аcme", "٣", "null", "-1", "1e999", "9" * 400, "latest", "2026-09", "2026-13", "0000-00", "9999-12..9999-12",
    "2026-09..2026-08", "2026-09-01..2026-09-31", "+2026-01", "owner=globex", "=", "a=b=c", "x" * 3_000,
)  # fmt: skip
json_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
names = st.text(string.ascii_letters + string.digits + "_-/:*$ {}", max_size=12)


def codes(kind: type[ToolFailure] = ToolFailure) -> Iterator[str]:
    """The code of every failure that we declare."""
    for each in kind.__subclasses__():
        yield each.code
        yield from codes(each)


CODES = frozenset(codes())


def fitting(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a parameter's schema allows."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if options := [*schema.get("anyOf", []), *schema.get("oneOf", [])]:
        return st.one_of([fitting(option) for option in options])
    match schema.get("type"):
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "number":
            return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False)
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(fitting(schema["items"]), max_size=min(schema.get("maxItems", 3), 3))
        case "object" if "properties" in schema:
            required = set(schema.get("required", []))
            fields = {name: fitting(inner) for name, inner in schema["properties"].items()}
            return st.fixed_dictionaries(
                {name: field for name, field in fields.items() if name in required},
                optional={name: field for name, field in fields.items() if name not in required},
            )
        case "string" if schema.get("format") == "date":
            return st.dates().map(str)
        case "string" if schema.get("format") == "date-time":
            return st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
        case "string":
            longest = schema.get("maxLength", 3_000)
            known = [
                trap for trap in (*TRAPS, "acme", "Amazon Simple Storage Service", "search") if len(trap) <= longest
            ]
            return st.sampled_from(known) | st.text(max_size=min(longest, 50))
        case _:
            return json_values


@dataclass(frozen=True)
class Asked:
    """A call of one server's tool by a caller of one audience."""

    server: StandingServer
    tool: Tool
    audience: Audience
    arguments: dict[str, Any]


@st.composite
def calls(draw: st.DrawFn) -> Asked:
    """Calls whose arguments are mostly as they should be, and sometimes not."""
    server, tool = draw(st.sampled_from([(server, tool) for server in SERVERS for tool in server.spec.tools]))
    audience = draw(st.sampled_from(list(Audience)))
    shown, example = input_of(tool, audience), arguments_for(tool, audience)
    chosen = {
        name: draw(st.one_of(fitting(schema), fitting(schema), st.sampled_from(TRAPS), json_values))
        for name, schema in shown["properties"].items()
        if draw(st.booleans())
    }
    if draw(st.booleans()):  # half of them with everything that a call needs, so that they get further than the door
        chosen = {**example, **chosen}
    if draw(st.integers(0, 9)) == 0:
        chosen |= draw(st.dictionaries(names, json_values, max_size=2))
    if draw(st.integers(0, 9)) == 0:
        chosen["tenant_id"] = draw(st.sampled_from(TRAPS) | json_values)
    return Asked(server, tool, audience, chosen)


@pytest.fixture(scope="module")
def small_company() -> Iterator[Sandbox]:
    """One of its own, in which nobody else writes around the servers."""
    with founded() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
async def all_served(small_company: Sandbox) -> AsyncGenerator[dict[str, Served]]:
    async with AsyncExitStack() as stack:
        yield {
            server.distribution: await stack.enter_async_context(
                serve(server.spec, environment_of(server, small_company), small_company)
            )
            for server in SERVERS
        }


@pytest.mark.requirement("fuzzed")
@settings(
    max_examples=40 * sum(len(server.spec.tools) for server in SERVERS),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(asked=calls())
async def test_any_arguments_get_an_answer_that_fits_or_a_typed_error(all_served: dict[str, Served], asked: Asked):
    served, tool = all_served[asked.server.distribution], asked.tool
    token = served.token("acme" if asked.audience is Audience.TENANT else None)
    response = await served.post(call_of(tool.name, asked.arguments), token)
    assert_tells_nothing_of_the_inside(response.text, served.sandbox)
    if response.status_code == 403:
        assert tool.shown_to.value != asked.audience.value
        assert response.json()["code"] in ("insufficient_scope", "not_permitted")
        return
    assert response.status_code == 200
    result = answer_of(response)["result"]
    if not result.get("isError"):
        schema = tool.listed(asked.audience).output_schema
        assert schema is not None
        jsonschema.validate(result["structuredContent"], schema)
        return
    fields = result["_meta"][ERROR_FIELDS]
    assert fields["code"] in CODES - {"internal_error"}
    assert "structuredContent" not in result
    assert len(result["content"][0]["text"]) < 2_000


@pytest.mark.requirement("fuzzed")
async def test_after_all_of_that_every_tool_still_answers(all_served: dict[str, Served]):
    """Of the same servers, after the test before: whatever it stored is data like any other."""
    for served in all_served.values():
        for audience, tenant in ((Audience.TENANT, "acme"), (Audience.PROVIDER, None)):
            ask = served.asking(served.token(tenant))
            for tool in audiences(served.spec, audience):
                assert await ask(tool.name, await working_arguments(served.spec, tool, audience, ask))


@pytest.mark.requirement("no-partial-write")
async def test_whatever_was_written_about_a_tenant_is_whole(all_served: dict[str, Served], small_company: Sandbox):
    """After all of that too: each record is at its newest change's version, each trail is one chain to its head."""
    assert all_served
    pages = small_company.client("dynamodb").get_paginator("scan")
    records = {item["tenantId"]: item for item in scanned(pages, small_company.table)}
    journal: dict[str, list[dict[str, Any]]] = {}
    for item in scanned(pages, small_company.outputs["JournalTable"]):
        journal.setdefault(item["tenantId"], []).append(item)
    assert len(records) > 200
    for tenant, record in records.items():
        items = sorted(journal.get(tenant, []), key=lambda item: item["entry"])
        trail = [entry_of(item) for item in items if item["entry"].startswith("audit:")]
        (head,) = [Head(int(one["seq"]), one["hash"], None) for one in items if one["entry"] == HEAD]
        assert broken_at(trail, head=head) is None, tenant
        assert int(record["version"]) == max(entry.version or 0 for entry in trail), tenant
        tags = {item["entry"] for item in items if item["entry"].startswith("tag:") and "kind" in item}
        assert tags == set(tag_items(record)), tenant


def scanned(pages: Any, table: str) -> Iterator[dict[str, Any]]:
    """Every item of a table."""
    plain: Callable[[Any], Any] = TypeDeserializer().deserialize
    for page in pages.paginate(TableName=table):
        for item in page["Items"]:
            yield {name: plain(value) for name, value in item.items()}


@pytest.mark.requirement("fuzzed")
async def test_messages_that_are_none_get_a_protocol_error_and_the_server_lives_on(served: Served):
    """The protocol's own library words these errors, around what the client itself sent."""
    name, token = some_call(served.spec), served.token()
    params: list[Any] = [
        {"name": name, "arguments": [1]}, {"name": name, "arguments": "x"}, {"name": 7}, {"name": None}, [], "x", None,
    ]  # fmt: skip
    messages: list[Any] = [
        *({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": each} for each in params),
        request_of("no/such/method"), request_of(""),
        {"jsonrpc": "1.0", "id": 1, "method": "ping"}, {}, [], "x", 7, None,
    ]  # fmt: skip
    bodies = [json.dumps(message).encode() for message in messages]
    async with served.http(token) as http:
        for body in (*bodies, b"", b"{", b"\xff\xfe", b"[" * 5_000, b'{"a":' * 5_000):
            response = await http.post("/mcp", content=body, headers=ACCEPT)
            assert response.status_code < 500
            assert "error" in response.text
            assert "Traceback" not in response.text
            assert not [secret for secret in secrets_of(served.sandbox) if secret in response.text]
    assert answer_of(await served.post(call_of(name), token))["result"]["structuredContent"]
