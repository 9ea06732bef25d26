"""What a host needs to start the servers: their environment, token files, an mcp.json, shell exports."""

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .state import REPOSITORY

if TYPE_CHECKING:
    from .sandbox import Sandbox

SERVERS = ("tenant-management", "cost-explorer", "metrics-logs", "semantic-cache", "memory", "pricing")
ON_DATASETS = ("cost-explorer", "metrics-logs", "pricing")
ON_POSTGRES = ("semantic-cache", "memory")
FOR_TENANTS_ALONE = ("memory",)
"""Servers without a tool for the provider."""
CLOUDWATCH_NAMESPACE = "Wayfarer/Tenants"
ALLOCATION_RULES = REPOSITORY / "examples/sandbox/allocation.yaml"
ACCESS_LOG_RULES = REPOSITORY / "examples/sandbox/access_log.yaml"


def server_env(
    sandbox: "Sandbox", server: str, tenant: str | None, *, tier: str | None, provider: bool
) -> dict[str, str]:
    """Return the settings of a server; with a tenant or `provider`, also a file with a fresh token."""
    environment = {
        "AWS_REGION": sandbox.region,
        "AWS_ENDPOINT_URL": sandbox.aws_endpoint,
        "AWS_ACCESS_KEY_ID": sandbox.execution.access_key_id,
        "AWS_SECRET_ACCESS_KEY": sandbox.execution.secret_access_key,
        "TENANTSCOPE_ISSUER": sandbox.issuer.url,
        "TENANTSCOPE_AUDIENCE": sandbox.audience,
        "TENANTSCOPE_JWKS_URL": sandbox.issuer.jwks_url,
        "TENANTSCOPE_TENANT_ROLE_ARN": sandbox.role_arn(server, "tenant"),
        "TENANTSCOPE_PROVIDER_ROLE_ARN": sandbox.role_arn(server, "provider"),
        "TENANTSCOPE_EXTERNAL_ID": sandbox.external_id,
        "TENANTSCOPE_TENANTS_TABLE": sandbox.table,
        "TENANTSCOPE_VALKEY_URL": sandbox.valkey_url,
    }
    if sandbox.has_role(server, "admin"):
        environment["TENANTSCOPE_ADMIN_ROLE_ARN"] = sandbox.role_arn(server, "admin")
    if server == "tenant-management":
        environment |= _of_tenant_management(sandbox)
    if server in ON_DATASETS:
        environment |= {
            "TENANTSCOPE_DATASETS_BUCKET": sandbox.bucket,
            "TENANTSCOPE_ATHENA_WORKGROUP": sandbox.outputs["AthenaWorkgroup"],
            "TENANTSCOPE_GLUE_DATABASE": sandbox.outputs["GlueDatabase"],
        }
    if server == "cost-explorer":
        environment["TENANTSCOPE_ALLOCATION_RULES"] = str(ALLOCATION_RULES)
    if server == "metrics-logs":
        environment["TENANTSCOPE_ACCESS_LOG_RULES"] = str(ACCESS_LOG_RULES)
    if server == "metrics-logs":
        environment["TENANTSCOPE_CLOUDWATCH_NAMESPACE"] = CLOUDWATCH_NAMESPACE
    if server in ON_POSTGRES:
        environment |= {
            "TENANTSCOPE_POSTGRES_DSN": sandbox.postgres_dsn,
            "TENANTSCOPE_POSTGRES_SCHEMA": server.replace("-", "_"),
            "TENANTSCOPE_EMBEDDER": "local",
        }
    if tenant or provider:
        environment["TENANTSCOPE_TOKEN_FILE"] = str(token_file(sandbox, tenant, tier))
    return environment


def _of_tenant_management(sandbox: "Sandbox") -> dict[str, str]:
    """What it needs to take a tenant in and to let it go: every store that a tenant leaves something in."""
    return {
        "TENANTSCOPE_JOURNAL_TABLE": sandbox.outputs["JournalTable"],
        "TENANTSCOPE_EVENT_BUS": sandbox.outputs["EventBus"],
        "TENANTSCOPE_USER_DIRECTORY": "cognito",
        "TENANTSCOPE_USER_POOL_ID": sandbox.outputs["UserPoolId"],
        "TENANTSCOPE_DATASETS_BUCKET": sandbox.bucket,
        "TENANTSCOPE_POSTGRES_DSN": sandbox.postgres_dsn,
        "TENANTSCOPE_VALKEY_ADMIN_URL": sandbox.valkey_lifecycle_url,
        "TENANTSCOPE_CACHE_USER_KEY": sandbox.state.secret("cache-user-key"),
    }


def token_file(sandbox: "Sandbox", tenant: str | None, tier: str | None = None) -> Path:
    """Write a fresh token of a tenant's user, or of the provider's staff, where only its owner reads it."""
    token = sandbox.issuer.token(tenant, tier or (_tier_of(sandbox, tenant) if tenant else None))
    return sandbox.state.write_text(f"tokens/{tenant or 'provider'}.jwt", token)


def _tier_of(sandbox: "Sandbox", tenant: str) -> str | None:
    """The tier that the registry knows, so that a token made again says what the one before said."""
    item = sandbox.client("dynamodb").get_item(TableName=sandbox.table, Key={"tenantId": {"S": tenant}}).get("Item", {})
    return item.get("tier", {}).get("S")


def mcp_json(sandbox: "Sandbox", tenant: str | None, tier: str | None = None) -> dict[str, Any]:
    """Return the configuration with which Kiro, Claude and others start the servers."""
    binaries = Path(sys.executable).parent
    return {
        "mcpServers": {
            f"tenantscope-{server}-{tenant or 'provider'}": {
                "command": str(binaries / f"tenantscope-{server}"),
                "args": [],
                "env": sandbox.server_env(server, tenant, tier=tier, provider=tenant is None),
            }
            for server in SERVERS
            if tenant or server not in FOR_TENANTS_ALONE
        }
    }


def mcp_json_text(sandbox: "Sandbox", tenant: str | None, tier: str | None = None) -> str:
    """Return it as text to paste."""
    return json.dumps(mcp_json(sandbox, tenant, tier), indent=2)


def exports(environment: Mapping[str, str]) -> str:
    """Return an environment as shell exports."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(environment.items()))
