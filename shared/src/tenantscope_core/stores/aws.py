"""The part of a tenant's AWS session that the stores need."""

from typing import Any, Protocol


class AwsCaller(Protocol):
    """Calls AWS with the credentials of one tenant, or of the fleet where `tenant` is None.

    Failures are `tenantscope_core.credentials.errors.AwsError`.
    """

    @property
    def tenant(self) -> str | None:
        """Whose credentials these are."""
        ...

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """One boto3 operation, by its snake_case name; the body of an object comes as bytes."""
        ...


class OtherTenant(PermissionError):
    """Data of one tenant was asked for with another's credentials; a fault of ours, stopped before AWS is asked."""

    def __init__(self) -> None:
        super().__init__("the credentials belong to another tenant than the data")


def require_owner(aws: AwsCaller, tenant: str | None) -> None:
    """Refuse what the credentials are not for: a tenant's open that tenant alone, the fleet's open everything.

    Raises:
        OtherTenant: They are another's.
    """
    if aws.tenant is not None and aws.tenant != tenant:
        raise OtherTenant
