"""The settings of this server."""

from pydantic import Field
from tenantscope_core.serving.store_settings import VectorSettings


class Settings(VectorSettings):
    """What every server is told, where its stores are, what embeds, and what is kept and served."""

    postgres_schema: str = Field(
        default="semantic_cache", pattern=r"[a-z_][a-z0-9_]{0,62}", description="The schema that holds the tables."
    )
    similarity_threshold: float = Field(
        default=0.95,
        ge=0.5,
        le=1.0,
        description="Cosine from which another prompt's answer is served; a call may only raise it.",
    )
    answer_ttl_seconds: int = Field(
        default=86_400, ge=1, le=2_592_000, description="How long an answer is served, where the call does not say."
    )
    copy_seconds: float = Field(
        default=900.0,
        ge=1,
        le=86_400,
        description="How long a copy in Valkey serves before PostgreSQL is asked again: as long as exact hits outlive "
        "PostgreSQL, and as an answer cannot be replaced while Valkey does not answer.",
    )
    entries_per_tenant: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Answers to prompts kept of one tenant; then some must go."
    )
