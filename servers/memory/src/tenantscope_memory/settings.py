"""The settings of this server."""

from pydantic import Field
from tenantscope_core.serving.store_settings import EmbeddingSettings, PostgresSettings


class Settings(PostgresSettings, EmbeddingSettings):
    """What every server is told, and where its stores are."""

    postgres_schema: str = Field(
        default="memory", pattern=r"[a-z_][a-z0-9_]{0,62}", description="The schema that holds the tables."
    )
