"""Every server has the same rooms, one version, and one exact core."""

import importlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from catalogue import ROOT, StandingServer
from fixtures.serving import SERVERS, console_script

pytestmark = pytest.mark.requirement("same-rooms")

WITHOUT_RESOURCE = {"cloudwatch:GetMetricData", "logs:DescribeLogGroups", "tag:GetResources"}
"""Actions for which AWS knows neither a resource nor a condition: a policy can only grant them on everything, each by
its name and apart from all others. What they open is narrowed in the server alone; docs/tenancy.md says how."""


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


def one_or_many(value: str | list[str]) -> set[str]:
    """What IAM writes as a text when it is one, and as a list when there are several."""
    return {value} if isinstance(value, str) else set(value)


def source(server: StandingServer) -> Path:
    return server.folder / "src" / server.package


@pytest.mark.parametrize("name", ["README.md", "pyproject.toml", "policy.json", "policy.provider.json"])
def test_a_servers_folder_says_what_it_is_and_what_it_may(server: StandingServer, name: str):
    assert (server.folder / name).is_file()


def test_the_package_has_its_rooms(server: StandingServer):
    for name in ("__init__.py", "__main__.py", "server.py", "settings.py", "models.py", "py.typed"):
        assert (source(server) / name).is_file(), name
    for room in ("tools", "sources"):
        assert (source(server) / room / "__init__.py").is_file(), room


def test_names_of_folder_distribution_package_and_script_agree(server: StandingServer):
    assert server.distribution == f"tenantscope-{server.folder.name}" == f"tenantscope-{server.spec.name}"
    assert server.package == server.distribution.replace("-", "_")
    assert project(server.folder)["scripts"] == {server.distribution: f"{server.package}.__main__:main"}
    assert console_script(server).is_file()


def test_each_tool_has_a_file_of_its_own_and_each_file_a_tool(server: StandingServer):
    files = {path.stem for path in (source(server) / "tools").glob("*.py")} - {"__init__"}
    assert files == {tool.name for tool in server.spec.tools}
    for tool in server.spec.tools:
        assert getattr(importlib.import_module(f"{server.package}.tools.{tool.name}"), tool.name) is tool


def test_every_module_says_in_a_line_what_it_is(server: StandingServer):
    for path in source(server).rglob("*.py"):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        assert re.match(r'""".+[.`:]', first), path


def test_policies_are_documents_that_iam_reads_and_grant_no_action_on_everything(server: StandingServer):
    for path in server.folder.glob("policy*.json"):
        document = json.loads(path.read_text())
        assert document["Version"] == "2012-10-17"
        for statement in document["Statement"]:
            assert statement["Effect"] == "Allow"
            actions, resources = one_or_many(statement["Action"]), one_or_many(statement["Resource"])
            assert "*" not in actions
            assert "*" not in resources or actions <= WITHOUT_RESOURCE


def test_a_servers_policies_are_those_of_its_roles_and_its_wheel_carries_each(server: StandingServer):
    names = {path.name for path in server.folder.glob("policy*.json")}
    assert {"policy.json", "policy.provider.json"} <= names
    assert names <= {"policy.json", "policy.provider.json", "policy.admin.json"}
    build = tomllib.loads((server.folder / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    carried = build["targets"]["wheel"]["force-include"]
    assert {name for name in carried if name.startswith("policy")} == names
    assert all(carried[name] == f"{server.package}/{name}" for name in names)


def test_a_policy_to_administer_with_and_a_setting_for_its_role_come_together(server: StandingServer):
    has_policy = (server.folder / "policy.admin.json").is_file()
    assert ("admin_role_arn" in server.spec.settings.model_fields) == has_policy


def test_a_policy_to_administer_with_opens_one_tenant_at_a_time(server: StandingServer):
    """Whatever it opens for data it names by the session's tag; what AWS grants on everything alone is said above."""
    path = server.folder / "policy.admin.json"
    statements: list[dict[str, Any]] = json.loads(path.read_text())["Statement"] if path.is_file() else []
    for statement in statements:
        if any(action.startswith(("dynamodb:", "s3:")) for action in one_or_many(statement["Action"])):
            assert "${aws:PrincipalTag/TenantId}" in json.dumps(statement), statement


@pytest.mark.requirement("one-version")
def test_all_distributions_have_one_version_and_servers_pin_the_core_to_it():
    folders = [ROOT / "shared", *(server.folder for server in SERVERS)]
    versions = {project(folder)["version"] for folder in folders}
    assert len(versions) == 1
    (version,) = versions
    for server in SERVERS:
        assert server.spec.version == version
        needs = [need for need in project(server.folder)["dependencies"] if need.startswith("tenantscope")]
        assert [re.sub(r"\[.*?\]", "", need) for need in needs] == [f"tenantscope-core=={version}"]
