"""What keeps a caller to its own data at this server, stated as it is configured."""

from dataclasses import dataclass

from tenantscope_tenant_management.models import IsolationLayer


@dataclass(frozen=True, slots=True)
class Setup:
    """The parts of the configuration that isolation depends on."""

    broker: str
    registry_switch: bool


def layers(setup: Setup, *, tenant: str | None) -> list[IsolationLayer]:
    """The layers in force for a tenant's caller, or for the provider when `tenant` is None."""
    broker = "AssumeRoleWithWebIdentity" if setup.broker == "web-identity" else "AssumeRole with session tags"
    if tenant is None:
        return [
            _server("tenant", "a provider's token names no tenant; each tool says which tenant it asks about"),
            _cloud("credentials", f"the provider role of this server, by {broker}"),
            _cloud("one tenant's data", "that tenant's own role and session, when tenant_id is named"),
            _cloud("registry", "read by key and index; the role allows no Scan"),
        ]
    return [
        _server("tenant", "taken from the verified token; no argument or header can change it"),
        _cloud("credentials", f"the tenant role, by {broker}, narrowed by the TenantId tag"),
        _cloud("credentials", "a session policy that names this tenant literally"),
        _cloud("registry", "DynamoDB refuses keys that do not lead with this tenant (dynamodb:LeadingKeys)"),
        _server("registry", "the key is built from the token's tenant"),
        _server("cursors", "signed, and bound to tenant, subject and tool"),
        _server(
            "suspension",
            "a tenant that is not active in the registry is refused within 30 seconds"
            if setup.registry_switch
            else "off: this server was not told of a registry (TENANTSCOPE_TENANTS_TABLE)",
        ),
    ]


def _cloud(layer: str, how: str) -> IsolationLayer:
    return IsolationLayer(layer=layer, enforced_by="cloud", how=how)


def _server(layer: str, how: str) -> IsolationLayer:
    return IsolationLayer(layer=layer, enforced_by="server", how=how)
