"""What every tool of every server answers, held against what it declares."""

import json
from typing import Any

import jsonschema
import pytest
from contract.calls import arguments_for, audiences, working_arguments
from fixtures.serving import Served, content_of, error_fields, text_of
from tenantscope_core.identity.caller import Audience
from tenantscope_core.tool import Tool
from tenantscope_core.tool.outcome import MAX_ANSWER_BYTES

CLEARLY_WRONG: dict[str, tuple[Any, ...]] = {
    "string": (7, ["a"], {"a": 1}),
    "integer": ("seven", 1.5, [1]),
    "number": ("seven", [1]),
    "boolean": ("perhaps", 7),
    "array": ("a", 7),
    "object": ("a", 7),
}


def caller_of(served: Served, audience: Audience) -> str:
    return served.token("acme" if audience is Audience.TENANT else None)


@pytest.mark.requirement("typed-output")
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_answers_fit_the_declared_output_and_stand_as_text_too(served: Served, mode: str):
    for audience in Audience:
        token = caller_of(served, audience)
        async with served.client(token, mode=mode) as client:
            listed = {each.name: each for each in (await client.list_tools()).tools}
            for tool in audiences(served.spec, audience):
                given = await working_arguments(served.spec, tool, audience, served.asking(token))
                result = await client.call_tool(tool.name, given)
                answer, schema = content_of(result), listed[tool.name].output_schema
                assert schema is not None
                jsonschema.validate(answer, schema)
                assert json.loads(text_of(result)) == answer
                assert len(text_of(result).encode()) <= MAX_ANSWER_BYTES


@pytest.mark.requirement("strict-arguments")
async def test_an_unknown_argument_is_refused_by_name_and_the_known_ones_are_named(served: Served):
    for audience in Audience:
        async with served.client(caller_of(served, audience), mode="legacy") as client:
            for tool in audiences(served.spec, audience):
                result = await client.call_tool(tool.name, {**arguments_for(tool, audience), "colour": "red"})
                fields = error_fields(result)
                assert (fields["code"], fields["action"], fields["parameter"]) == (
                    "invalid_argument", "change", "colour",
                )  # fmt: skip
                for known in tool.arguments.model_fields:
                    assert known in text_of(result)


def wrong_values(tool: Tool) -> list[tuple[str, Any]]:
    """One argument and a value of another type than its own, for each."""
    shown = tool.listed(Audience.TENANT).input_schema["properties"]
    return [
        (name, value) for name, schema in shown.items() for value in CLEARLY_WRONG.get(schema.get("type", "string"), ())
    ]


@pytest.mark.requirement("strict-arguments")
async def test_a_value_of_another_type_is_refused_by_the_parameters_name(served: Served):
    for audience in Audience:
        async with served.client(caller_of(served, audience), mode="legacy") as client:
            for tool in audiences(served.spec, audience):
                for name, value in wrong_values(tool):
                    result = await client.call_tool(tool.name, {**arguments_for(tool, audience), name: value})
                    fields = error_fields(result)
                    assert (fields["code"], fields["parameter"]) == ("invalid_argument", name), value


@pytest.mark.requirement("one-error-shape")
async def test_a_tool_that_is_not_there_is_a_typed_error(served: Served):
    async with served.client(served.token(), mode="legacy") as client:
        fields = error_fields(await client.call_tool("drop_tables", {}))
    assert (fields["code"], fields["action"]) == ("not_found", "change")
