"""The AgentCore requests against AWS's own model of the API, and the settings in them against the servers."""

import json
import re
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from catalogue import standing_servers
from tenantscope_core.serving.settings import load_settings

from .conftest import REPOSITORY

FOLDER = REPOSITORY / "examples/agentcore"
OPERATIONS = {
    "runtime.json": "CreateAgentRuntime",
    "gateway.json": "CreateGateway",
    "target-token-exchange.json": "CreateGatewayTarget",
    "target-runtime-passthrough.json": "CreateGatewayTarget",
}


def request(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / name).read_text())


def faults(name: str, document: dict[str, Any]) -> str:
    """What AWS's model of the API has against a request: form, required members, and values of closed lists."""
    model: Any = botocore.session.get_session().get_service_model("bedrock-agentcore-control")
    shape = model.operation_model(OPERATIONS[name]).input_shape
    return str(ParamValidator().validate(document, shape).generate_report()) + "".join(_unlisted(document, shape))


def _unlisted(value: Any, shape: Any) -> list[str]:
    if shape.type_name == "structure":
        return [fault for key, item in value.items() for fault in _unlisted(item, shape.members[key])]
    if shape.type_name == "list":
        return [fault for item in value for fault in _unlisted(item, shape.member)]
    if getattr(shape, "enum", None) and value not in shape.enum:
        return [f"{value!r} is none of {shape.enum}"]
    pattern = shape.metadata.get("pattern") if shape.type_name == "string" else None
    return [f"{value!r} does not match {pattern}"] if pattern and not re.fullmatch(pattern, value) else []


def test_every_request_is_one_that_aws_knows():
    assert set(OPERATIONS) == {path.name for path in FOLDER.glob("*.json")}


@pytest.mark.requirement("agentcore")
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_request_has_the_form_that_aws_documents(name: str):
    assert faults(name, request(name)) == ""


def test_the_check_finds_a_value_that_aws_does_not_list():
    wrong = request("gateway.json") | {"authorizerType": "JWT"}
    assert "none of" in faults("gateway.json", wrong)


@pytest.mark.requirement("agentcore")
def test_the_runtime_is_told_settings_that_its_server_has():
    document = request("runtime.json")
    server = next(each for each in standing_servers() if each.distribution in str(document["agentRuntimeArtifact"]))
    fields = server.spec.settings.model_fields
    told = {name for name in document["environmentVariables"] if name.startswith("TENANTSCOPE_")}
    assert told <= {f"TENANTSCOPE_{field.upper()}" for field in fields}
    assert "Authorization" in document["requestHeaderConfiguration"]["requestHeaderAllowlist"]


def test_the_runtimes_settings_are_accepted():
    server = next(each for each in standing_servers() if each.spec.name == "cost-explorer")
    settings = load_settings(server.spec.settings, request("runtime.json")["environmentVariables"])
    assert settings.audience == ("https://mcp.example.com",)


def test_the_image_is_made_of_files_that_exist():
    text = (FOLDER / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert copied and all((REPOSITORY / name).exists() for name in copied)
    settings = set(re.findall(r"TENANTSCOPE_[A-Z_]+", text))
    assert settings == {"TENANTSCOPE_HOST", "TENANTSCOPE_PORT"}
