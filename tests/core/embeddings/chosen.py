"""Settings of a server that embeds."""

from tenantscope_core.serving.settings import load_settings
from tenantscope_core.serving.store_settings import EmbeddingSettings


def settings(**changes: str) -> EmbeddingSettings:
    """The least that a server is told, with changes."""
    environment = {"ISSUER": "https://issuer.example", "AUDIENCE": "a", "TENANT_ROLE_ARN": "r", "AWS_REGION": "x"}
    return load_settings(EmbeddingSettings, {f"TENANTSCOPE_{k}": v for k, v in (environment | changes).items()})
