"""What hosts and models are shown: equal to what was committed, small, described, and the same for everybody alike."""

import json
from collections.abc import Iterator
from typing import Any

import catalogue
import jsonschema
import pytest
from catalogue import ROOT, StandingServer
from contract.schemas import input_of, inside, names, output_of
from fixtures.serving import SERVERS
from tenantscope_core.identity.caller import Audience
from tenantscope_core.serving.settings import settings_table
from tenantscope_core.tool import Tool
from tenantscope_core.tool.declaration import MAX_NAME_CHARS, TENANT_PARAMETER

MAX_CATALOGUE_BYTES, MAX_BYTES_OF_ALL = 12_000, 60_000
OF_THE_TENANTS_OWN_MAKING = {
    "get_tenant": {"config"},
    "update_tenant_config": {"config"},
    "update_tenant": {"changes.0.before", "changes.0.after"},
    "list_audit_events": {"events.0.before", "events.0.after"},
}
"""Where an answer holds what a tenant has put there, in a form that is its own: the only untyped parts."""
TOOLS = [(server, tool) for server in SERVERS for tool in server.spec.tools]
IDS = [f"{server.spec.name}-{tool.name}" for server, tool in TOOLS]

every_tool = pytest.mark.parametrize(("server", "tool"), TOOLS, ids=IDS)


def inputs(tool: Tool) -> Iterator[dict[str, Any]]:
    for audience in Audience:
        yield tool.listed(audience).input_schema


@pytest.mark.requirement("generated-current")
@every_tool
def test_a_tool_is_shown_as_it_was_committed(server: StandingServer, tool: Tool):
    path = catalogue.SNAPSHOTS / server.spec.name / f"{tool.name}.json"
    assert path.read_text(encoding="utf-8") == catalogue.snapshot(tool), "`make generate`, and read the difference"


@pytest.mark.requirement("generated-current")
def test_no_snapshot_outlives_its_tool():
    kept = {path.relative_to(catalogue.SNAPSHOTS).as_posix() for path in catalogue.SNAPSHOTS.rglob("*.json")}
    assert kept == {f"{server.spec.name}/{tool.name}.json" for server, tool in TOOLS}


@pytest.mark.requirement("generated-current")
@pytest.mark.parametrize("folder", [".", *(f"servers/{server.folder.name}" for server in SERVERS)])
def test_tables_in_readmes_are_current(folder: str):
    readme = ROOT / folder / "README.md"
    assert readme.read_text(encoding="utf-8") == dict(catalogue.generated_files())[readme], "`make generate`"


@pytest.mark.requirement("settings-documented")
def test_every_setting_stands_in_the_readme_with_a_description(server: StandingServer):
    assert settings_table(server.spec.settings) in (server.folder / "README.md").read_text(encoding="utf-8")
    for name, field in server.spec.settings.model_fields.items():
        assert field.description, name


@pytest.mark.requirement("names-fit-hosts")
@every_tool
def test_a_name_fits_every_host(server: StandingServer, tool: Tool):
    assert 0 < len(tool.name) <= MAX_NAME_CHARS == 30
    assert set(tool.name) <= set("abcdefghijklmnopqrstuvwxyz_")
    assert "__" not in tool.name


@pytest.mark.requirement("truthful-annotations")
@every_tool
def test_annotations_are_stated_one_by_one_and_agree_with_the_declaration(server: StandingServer, tool: Tool):
    shown = tool.listed(Audience.TENANT).annotations
    assert shown is not None
    hints = (shown.read_only_hint, shown.destructive_hint, shown.idempotent_hint, shown.open_world_hint)
    effects = tool.effects
    assert hints == (effects.read_only, effects.destructive, effects.idempotent, effects.open_world)
    assert not (effects.read_only and effects.destructive)


@pytest.mark.requirement("described-parameters")
@every_tool
def test_every_parameter_is_described_and_none_is_unknown(server: StandingServer, tool: Tool):
    assert len(tool.description) <= 1_000
    for schema in inputs(tool):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert schema["additionalProperties"] is False
        for name, parameter in schema["properties"].items():
            assert parameter.get("description"), name
    for path, inner in inside(input_of(tool, Audience.TENANT)):
        assert "properties" not in inner or inner["additionalProperties"] is False, path


@pytest.mark.requirement("typed-output")
@every_tool
def test_the_output_is_typed_and_closed(server: StandingServer, tool: Tool):
    jsonschema.Draft202012Validator.check_schema(tool.listed(Audience.TENANT).output_schema or {})
    assert output_of(tool)["properties"]
    anything = {
        path for path, inner in inside(output_of(tool))
        if not {"type", "anyOf", "oneOf", "const", "enum"} & set(inner)  # anything at all
        or (inner.get("type") == "object" and inner.get("additionalProperties", True) is True)
        or (inner.get("type") == "array" and "items" not in inner)
    }  # fmt: skip
    assert anything == OF_THE_TENANTS_OWN_MAKING.get(tool.name, set())


@pytest.mark.requirement("no-tenant-parameter")
@every_tool
def test_a_tenant_is_shown_no_tenant_parameter(server: StandingServer, tool: Tool):
    assert not [name for name in names(input_of(tool, Audience.TENANT)) if "tenant" in name]
    assert TENANT_PARAMETER not in json.dumps(tool.listed(Audience.TENANT).input_schema)


@pytest.mark.requirement("no-tenant-parameter")
@every_tool
def test_the_provider_is_shown_it_exactly_where_a_tool_can_be_about_one_tenant(server: StandingServer, tool: Tool):
    schema = tool.listed(Audience.PROVIDER).input_schema
    assert (TENANT_PARAMETER in schema["properties"]) == (tool.names_tenant != "no")
    assert (TENANT_PARAMETER in schema.get("required", [])) == (tool.names_tenant == "required")


@pytest.mark.requirement("small-catalogue")
def test_a_catalogue_costs_a_model_little(server: StandingServer):
    size = sum(catalogue.visible_bytes(tool) for tool in server.spec.tools)
    assert size <= MAX_CATALOGUE_BYTES


@pytest.mark.requirement("small-catalogue")
def test_all_catalogues_together_cost_a_model_little():
    assert sum(catalogue.visible_bytes(tool) for _, tool in TOOLS) <= MAX_BYTES_OF_ALL


def test_the_readme_of_the_repository_names_every_server():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for server in SERVERS:
        assert f"servers/{server.folder.name}" in text
