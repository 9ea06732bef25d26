"""What every tool of every server answers, held against what it declares."""

import jsonschema
import pytest
from contract.calls import arguments_for
from fixtures.serving import Served, content_of, error_fields
from tenantscope_core.identity.caller import Audience
from tenantscope_core.tool import ShownTo, Tool


def audiences(tool: Tool) -> list[Audience]:
    return [each for each in Audience if tool.shown_to in (ShownTo.BOTH, each.value)]


def caller_of(served: Served, audience: Audience) -> str:
    return served.token("acme" if audience is Audience.TENANT else None)


async def test_answers_fit_the_declared_output_and_stand_as_text_too(served: Served):
    for tool in served.spec.tools:
        for audience in audiences(tool):
            async with served.client(caller_of(served, audience)) as client:
                listed = {each.name: each for each in (await client.list_tools()).tools}
                result = await client.call_tool(tool.name, arguments_for(tool, audience))
            answer = content_of(result)
            schema = listed[tool.name].output_schema
            assert schema is not None
            jsonschema.validate(answer, schema)
            tool.output.model_validate_json(result.content[0].text)  # pyright: ignore
