"""What keeps a caller to its own data at this server, stated as it is configured."""

from typing import Literal

from tenantscope_tenant_management.models import IsolationLayer

Broker = Literal["assume-role", "web-identity"]


def layers(broker: Broker, *, tenant: str | None) -> list[IsolationLayer]:
    """The layers in force for a tenant's caller, or for the provider when `tenant` is None."""
    if tenant is None:
        return [
            _server("tenant", "a provider's token names no tenant; each call says which tenant it is about"),
            _cloud("credentials", "for the fleet this server's provider role, by AssumeRole, without a tenant tag"),
            _cloud("credentials", "for one tenant that tenant's role, with its TenantId tag and session policy"),
            _cloud("registry", "read by key and index; the role allows no Scan"),
        ]
    namer = "the issuer, by AssumeRoleWithWebIdentity" if broker == "web-identity" else "this server, by AssumeRole"
    return [
        _server("tenant", "taken from the verified token; no argument or header can change it"),
        _cloud("credentials", f"the tenant role; its TenantId tag is set by {namer}"),
        _cloud("credentials", "a session policy that names this tenant"),
        _cloud("registry", "DynamoDB refuses keys that do not lead with this tenant (dynamodb:LeadingKeys)"),
        _server("registry", "the key is built from the token's tenant"),
        _server(
            "suspension",
            "refused unless the registry says active or trial; a change is felt within 30 seconds, or 15 minutes while "
            "the registry cannot be read",
        ),
    ]


def _cloud(layer: str, how: str) -> IsolationLayer:
    return IsolationLayer(layer=layer, enforced_by="cloud", how=how)


def _server(layer: str, how: str) -> IsolationLayer:
    return IsolationLayer(layer=layer, enforced_by="server", how=how)
