"""What `list_tenant_resources` answers."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from tenantscope_core.results.answers import Answer

from tenantscope_tenant_management.arns import last_digits
from tenantscope_tenant_management.resources import Resource

ROOM_BYTES = 18_000


class TenantResource(Answer):
    """One resource."""

    type: str = Field(description="Service and kind, as `s3:bucket`.")
    name: str
    region: str = Field(description="`global` where a resource has none.")
    placement: Literal["silo", "pool"] = Field(description="silo: the tenant's own; pool: shared by all.")
    account: str | None = Field(default=None, description="Its last digits; for the provider alone.")
    state: str | None = Field(
        default=None, description="As its own tag says; left out where none does: AWS lists no states."
    )


class ResourcePage(Answer):
    """Counts of all that match, each of which sums to `total`, and a page of them."""

    total: int
    complete: bool = Field(description="False: there are more than are read in a call; numbers are of those read.")
    by_type: dict[str, int]
    by_region: dict[str, int]
    by_placement: dict[str, int]
    by_account: dict[str, int] | None = Field(default=None, description="For the provider alone.")
    searched_region: str = Field(description="Only this region was searched.")
    resources: list[TenantResource]
    count: int = Field(description="Resources on this page.")
    truncated: bool
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")
    next: str = Field(description="What to call for more.")


def resource_view(resource: Resource, *, to_provider: bool) -> TenantResource:
    """A resource as a caller is shown it: never its ARN, and the account to nobody but its owner."""
    named = resource.named
    return TenantResource(
        type=named.type,
        name=named.name,
        region=named.region,
        placement=resource.placement,
        account=last_digits(named.account) if to_provider else None,
        state=resource.state,
    )


def fitting(resources: Sequence[Resource], limit: int, *, to_provider: bool) -> list[TenantResource]:
    """As many, in order, as a page holds by number and by size; one at least."""
    shown: list[TenantResource] = []
    size = 0
    for each in resources[:limit]:
        view = resource_view(each, to_provider=to_provider)
        size += len(view.model_dump_json(exclude_none=True).encode())
        if shown and size > ROOM_BYTES:
            break
        shown.append(view)
    return shown
