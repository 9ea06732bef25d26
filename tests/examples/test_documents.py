"""What the documents name exists: targets, settings, links, paths, commands; and their JSON, YAML and Python parse."""

import json
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from catalogue import standing_servers
from tenantscope_cost_explorer.allocation.rules_file import parse_rules
from tenantscope_tenant_management.tiers_file import parse_tiers

from .conftest import REPOSITORY
from .markdown import FENCE, fences, text_of

ROOMS = ("benchmarks", "docs", "examples", "servers", "shared", "tests")
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(path for room in ROOMS for path in REPOSITORY.glob(f"{room}/**/*.md"))])
OF_A_HOST = {"TENANTSCOPE_JWT"}  # a variable of the reader's, which a host puts into a header
HIGH_LEVEL = {("s3", "sync"), ("cloudformation", "deploy")}  # the CLI's own, no operation of an API

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def named(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def code(path: Path) -> list[str]:
    """Everything in a document that is code, in a line or in a block."""
    text = text_of(path)
    return [body for _, _, body in FENCE.findall(text)] + re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(path)), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


@cache
def settings() -> frozenset[str]:
    fields = {name for server in standing_servers() for name in server.spec.settings.model_fields}
    return frozenset(f"TENANTSCOPE_{name.upper()}" for name in fields)


@cache
def of_the_sandbox() -> frozenset[str]:
    sources = [*REPOSITORY.glob("examples/sandbox/src/**/*.py"), *REPOSITORY.glob("tests/fixtures/*.py")]
    return frozenset(found for path in sources for found in re.findall(r'environ.*"(TENANTSCOPE_\w+)"', text_of(path)))


documents = pytest.mark.parametrize("path", DOCUMENTS, ids=named)


def test_there_are_documents():
    assert REPOSITORY / "docs/tenancy.md" in DOCUMENTS


@documents
def test_every_make_target_exists(path: Path):
    targets = set(re.findall(r"^([a-z-]+):", text_of(REPOSITORY / "Makefile"), re.MULTILINE))
    asked = [words for piece in code(path) for words in re.findall(r"(?:^|[\s;&(])make((?: [a-z][a-z-]+)+)", piece)]
    assert {word for words in asked for word in words.split()} <= targets


@documents
def test_every_variable_is_a_setting(path: Path):
    asked = set(re.findall(r"TENANTSCOPE_[A-Z][A-Z_]*[A-Z]", text_of(path)))
    assert asked <= settings() | of_the_sandbox() | OF_A_HOST


@documents
def test_every_internal_link_leads_somewhere(path: Path):
    broken: list[str] = []
    for link in _LINK.findall(FENCE.sub("", text_of(path))):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@documents
def test_every_path_of_the_repository_exists(path: Path):
    inline = re.findall(r"`([^`\n]+)`", FENCE.sub("", text_of(path)))
    paths = [word for word in inline if re.fullmatch(rf"(?:{'|'.join(ROOMS)})/[\w./-]+", word)]
    near = [REPOSITORY, *path.parents]
    assert [word for word in paths if not any((folder / word).exists() for folder in near)] == []


@documents
def test_json_yaml_and_python_parse(path: Path):
    for block in fences(path, "json"):
        json.loads(block)
    for block in fences(path, "yaml"):
        document: Any = yaml.safe_load(block)
        if isinstance(document, dict) and "rules" in document:
            parse_rules(block)
        if isinstance(document, dict) and "tiers" in document:
            parse_tiers(block)
    for block in fences(path, "python"):
        compile(block if not block.rstrip().endswith('"""') else f"{block}\n    ...\n", named(path), "exec")


def commands(path: Path) -> list[list[str]]:
    """The words of each command in a document's shell blocks."""
    lines = [line for block in fences(path, "sh") for line in block.replace("\\\n", " ").splitlines()]
    plain = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return [words for line in plain if (words := _words(line))]


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # a text that goes on in the next line
        return line.split()


@documents
def test_servers_are_asked_for_commands_that_they_have(path: Path):
    own = {server.distribution: {job.name for job in server.spec.commands} for server in standing_servers()}
    for words in commands(path):
        name = words[0].rsplit("/", 1)[-1]
        if name in own and len(words) > 1 and not words[1].startswith("-"):
            assert words[1] in own[name] | {"stdio", "http", "settings", "catalogue"}


@documents
def test_aws_is_asked_for_operations_that_it_has(path: Path):
    session = botocore.session.get_session()
    for words in commands(path):
        if words[0] != "aws" or tuple(words[1:3]) in HIGH_LEVEL:
            continue
        model: Any = session.get_service_model(words[1])
        operations = {re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower() for name in model.operation_names}
        assert words[2] in operations
