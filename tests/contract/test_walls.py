"""Who may know whom: read from the imports themselves."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogue import ROOT, StandingServer

pytestmark = pytest.mark.requirement("walls")

OUTER = {"sources", "tools"}
EDGES = {"__init__", "__main__", "server", "settings", "models"}
CORE_FOR_DOMAINS = ("tenantscope_core.results", "tenantscope_core.stores.schemas", "tenantscope_core.stores.sql_text")
"""What a domain may know of the core: plain values, the columns of the datasets, and how values stand in SQL."""
IO_MODULES = {
    "asyncio", "anyio", "boto3", "botocore", "duckdb", "httpx2", "http", "io", "mcp", "os", "pathlib", "psycopg",
    "random", "secrets", "shutil", "socket", "sqlite3", "subprocess", "sys", "tempfile", "threading", "time",
    "urllib", "uuid", "valkey", "starlette", "uvicorn",
}  # fmt: skip
IO_CALLS = {"open", "print", "input", "exec", "eval"}
CLOCKS = {"now", "today", "utcnow"}


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


def below(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def domain(server: StandingServer) -> list[Path]:
    """The modules beside the edges; a command's own modules are an edge too: it reads, writes and prints."""
    names = [command.name.replace("-", "_") for command in server.spec.commands]
    jobs = {module for name in names for module in (name, f"{name}_command")}
    top = server.folder / "src" / server.package
    found = [path for path in top.glob("*.py") if path.stem not in EDGES | jobs]
    packages = [path for path in top.rglob("*/*.py") if path.relative_to(top).parts[0] not in OUTER]
    return [*found, *packages]


def test_the_domain_is_pure(server: StandingServer):
    for path in domain(server):
        for module in imported(path):
            assert module.partition(".")[0] not in IO_MODULES, f"{path.name} imports {module}"
            if below(module, ("tenantscope_core",)):
                assert below(module, CORE_FOR_DOMAINS), f"{path.name} imports {module}"
            assert not below(module, (f"{server.package}.sources", f"{server.package}.tools")), path.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func
                assert not (isinstance(called, ast.Name) and called.id in IO_CALLS), path.name
                assert not (isinstance(called, ast.Attribute) and called.attr in CLOCKS), path.name
            assert not isinstance(node, ast.AsyncFunctionDef), f"{path.name} waits for something"


def test_a_server_has_a_domain(server: StandingServer):
    assert domain(server)


def test_tools_leave_the_protocol_and_aws_to_others(server: StandingServer):
    for path in (server.folder / "src" / server.package / "tools").glob("*.py"):
        for module in imported(path):
            assert not below(module, ("mcp", "boto3", "botocore", "starlette")), path.name
            assert not below(module, ("tenantscope_core.credentials", "tenantscope_core.identity.verifier")), path.name


def test_servers_do_not_import_one_another(server: StandingServer):
    for path in (server.folder / "src").rglob("*.py"):
        for module in imported(path):
            if module.startswith("tenantscope_"):
                assert below(module, ("tenantscope_core", server.package)), f"{path.name} imports {module}"


def test_the_core_knows_no_server():
    for path in (ROOT / "shared/src").rglob("*.py"):
        for module in imported(path):
            if module.startswith("tenantscope_"):
                assert below(module, ("tenantscope_core",)), f"{path.name} imports {module}"


def test_the_sandbox_knows_neither_the_core_nor_a_server():
    for path in (ROOT / "examples/sandbox").rglob("*.py"):
        for module in imported(path):
            if module.startswith("tenantscope_"):
                assert below(module, ("tenantscope_sandbox",)), f"{path.name} imports {module}"
