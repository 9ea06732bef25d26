"""The settings of this server."""

from tenantscope_core.serving.store_settings import EmbeddingSettings, PostgresSettings


class Settings(PostgresSettings, EmbeddingSettings):
    """What every server is told, and where its stores are."""
