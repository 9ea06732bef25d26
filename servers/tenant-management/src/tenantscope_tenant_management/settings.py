"""The settings of this server."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from tenantscope_core.serving.settings import NO_TABLE, PREFIX, CoreSettings, Words


class Settings(CoreSettings):
    """What every server is told; here the registry is required, and what belongs to a tenant's life is named."""

    tenants_table: str = Field(description="The DynamoDB table of the tenant registry.")  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]
    journal_table: str = Field(
        description="The DynamoDB table of the audit trail, workflows, tiers and events not yet sent."
    )
    admin_role_arn: str | None = Field(
        default=None,
        description="The role it assumes for the provider's work on one tenant; without it, it lets nobody in or go.",
    )

    event_bus: str | None = Field(
        default=None, description="The EventBridge bus that is told of changes; none if unset."
    )
    control_plane_source: str = Field(
        default="sbt.control.plane", description="`source` of events that ask for something, as the Toolkit's own."
    )
    application_plane_source: str = Field(
        default="sbt.application.plane", description="`source` of events that tell what was done."
    )

    user_directory: Literal["cognito", "external"] = Field(
        default="external", description="Where tenants' users are: an Amazon Cognito user pool, or elsewhere."
    )
    user_pool_id: str | None = Field(default=None, description="cognito: the pool.")

    config_schema: Path | None = Field(
        default=None,
        description="A JSON Schema that tenants' settings must fit, its patterns plain (from ^, no groups).",
    )
    resource_tag: str = Field(default="TenantId", description="The tag that says whose a resource is.")
    pool_tag_value: str = Field(default="pool", description="Its value on resources that all tenants share.")
    state_tag: str | None = Field(default=None, description="The tag that says a resource's state, if any does.")

    datasets_bucket: str | None = Field(default=None, description="The S3 bucket of the datasets.")
    postgres_dsn: SecretStr | None = Field(
        default=None, description="PostgreSQL of memory and semantic-cache, as their own login."
    )
    postgres_schemas: Words = Field(default=("memory", "semantic_cache"), description="Their schemas there.")
    valkey_admin_url: SecretStr | None = Field(
        default=None,
        description="Valkey as a user that may list keys and manage users, for what a tenant leaves behind.",
    )
    cache_user_key: SecretStr | None = Field(
        default=None,
        description="Secret of 32 characters or more that makes each tenant's Valkey password; no users if unset.",
    )
    quiet_seconds: float = Field(
        default=90.0, ge=0, le=3_600, description="How long after a tenant's end calls of it may still run elsewhere."
    )
    workflow_lease_seconds: float = Field(
        default=30.0, gt=0, le=300, description="How long a replica that fell silent keeps a workflow to itself."
    )

    @property
    def admin_role(self) -> str | None:
        """The setting."""
        return self.admin_role_arn

    @property
    def policy_names(self) -> dict[str, str]:
        """The common names, and those of this server's own stores."""
        own = {
            "JournalTable": self.journal_table,
            "EventBus": self.event_bus or NO_TABLE,
            "UserPool": self.user_pool_id or NO_TABLE,
            "DatasetsBucket": self.datasets_bucket or NO_TABLE,
        }
        return super().policy_names | own

    @field_validator("postgres_schemas", mode="before")
    @classmethod
    def _split_schemas(cls, value: object) -> object:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_its_parts(self) -> "Settings":
        if (self.user_directory == "cognito") != (self.user_pool_id is not None):
            raise ValueError(f"{PREFIX}USER_POOL_ID goes with {PREFIX}USER_DIRECTORY=cognito, and with no other")
        if self.cache_user_key is not None and (
            self.valkey_admin_url is None or len(self.cache_user_key.get_secret_value()) < 32
        ):
            raise ValueError(f"{PREFIX}CACHE_USER_KEY needs 32 characters, and {PREFIX}VALKEY_ADMIN_URL")
        return self
