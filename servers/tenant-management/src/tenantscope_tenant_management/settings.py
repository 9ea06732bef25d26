"""The settings of this server."""

from pydantic import Field
from tenantscope_core.serving.settings import CoreSettings


class Settings(CoreSettings):
    """What every server is told; here the registry is required."""

    tenants_table: str = Field(description="The DynamoDB table of the tenant registry.")  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]
