"""The settings of this server."""

from typing import Literal

from pydantic import Field
from tenantscope_core.serving.store_settings import VectorSettings


class Settings(VectorSettings):
    """What every server is told, where its stores are, and whose memory a caller may ask for."""

    postgres_schema: str = Field(
        default="memory", pattern=r"[a-z_][a-z0-9_]{0,62}", description="The schema that holds the tables."
    )
    memory_actor_from: Literal["argument", "subject"] = Field(
        default="argument",
        description="Whose memory a call may be about: `argument`, any actor of the tenant that it names, for agents "
        "that act for many users; `subject`, only the subject of its token.",
    )
    memory_language: Literal["english", "simple"] = Field(
        default="english",
        description="How words are told apart in full text: stemmed as English, or as they are. Text stored under one "
        "is not found well under the other.",
    )
    memory_embed_seconds: float = Field(
        default=0.5,
        gt=0,
        le=30,
        description="How long a call waits for embeddings before it goes on without; what was not embedded is at the "
        "next recall.",
    )
