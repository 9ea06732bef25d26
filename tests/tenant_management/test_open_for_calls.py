"""A server that starts pays for no store's library, no schema and no YAML before something needs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures.serving import SERVERS
from tenantscope_sandbox import Sandbox

SERVER = next(each for each in SERVERS if each.spec.name == "tenant-management")
HEAVY = {"psycopg", "psycopg_pool", "valkey", "jsonschema", "yaml", "duckdb", "pyarrow", "numpy", "onnxruntime"}
LOADED = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
OPENED = """
import os, anyio
from tenantscope_core.serving.assembly import assemble, system_clock
from tenantscope_core.serving.settings import load_settings
from tenantscope_core.serving.spec import Runtime
from tenantscope_tenant_management.server import SERVER

async def opened():
    settings = load_settings(SERVER.settings, dict(os.environ))
    async with (
        assemble(SERVER, settings).open_gatekeepers(),
        SERVER.open_sources(Runtime(settings, system_clock, SERVER.tools)),
    ):
        pass

anyio.run(opened)
"""


def loaded(code: str, environment: dict[str, str] | None = None) -> set[str]:
    """What a process of its own has imported after some code."""
    command = [sys.executable, "-c", f"{code}\n{LOADED}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "server", "__main__", "tools", "sources.open", "sources.jobs.resuming", "sources.jobs.publishing",
        "sources.jobs.adopting",
        "config_patch", "tiers_file", "measure_command", "publish_tiers_command",
    ],
)  # fmt: skip
def test_a_module_imports_nothing_heavy(module: str):
    assert not HEAVY & loaded(f"import tenantscope_tenant_management.{module}")


def test_a_server_with_every_setting_is_open_for_calls_before_it_imports_anything_heavy(small_company: Sandbox):
    environment = small_company.server_env("tenant-management")
    assert {f"TENANTSCOPE_{name}" for name in ("VALKEY_URL", "POSTGRES_DSN", "VALKEY_ADMIN_URL")} <= environment.keys()
    found = loaded(OPENED, environment)
    assert "tenantscope_tenant_management" in found
    assert not HEAVY & found


def test_a_schema_for_settings_is_read_at_the_start_where_there_is_one(small_company: Sandbox, tmp_path: Path):
    """So that a wrong one is told to the operator, and not to the first caller."""
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"type": "object"}))
    environment = small_company.server_env("tenant-management") | {"TENANTSCOPE_CONFIG_SCHEMA": str(schema)}
    assert HEAVY & loaded(OPENED, environment) == {"jsonschema"}
    schema.write_text('{"type": "settings"}')
    with pytest.raises(subprocess.CalledProcessError) as caught:
        loaded(OPENED, environment)
    assert "TENANTSCOPE_CONFIG_SCHEMA must be a file with a JSON Schema" in caught.value.stderr
