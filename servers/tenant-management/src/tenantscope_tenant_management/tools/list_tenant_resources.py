"""`list_tenant_resources`."""

from typing import Annotated, Any

from pydantic import Field
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.tool import READ, Call, ShownTo, tool

from tenantscope_tenant_management.arns import last_digits
from tenantscope_tenant_management.resource_answers import ResourcePage, fitting
from tenantscope_tenant_management.resources import Placement, Wanted, counts, following
from tenantscope_tenant_management.sources.open import Sources


@tool(shown_to=ShownTo.BOTH, scopes={"tenants:read"}, effects=READ, names_tenant="required")
async def list_tenant_resources(
    call: Call[Sources],
    type: Annotated[
        str | None,
        Field(description="Only this service or type, as sqs or lambda:function.",
              pattern=r"^[a-z0-9-]{1,40}(:[A-Za-z0-9._-]{1,60})?$"),
    ] = None,
    region: Annotated[
        str | None, Field(description="Only this region, or global.", pattern=r"^[a-z0-9-]{1,30}$")
    ] = None,
    placement: Annotated[
        Placement | None, Field(description="silo: the tenant's own. pool: shared; the provider's to see.")
    ] = None,
    limit: Annotated[int, Field(ge=1, le=100, description="Resources per page.")] = 25,
    cursor: Annotated[str | None, Field(description="next_cursor of the page before.")] = None,
) -> ResourcePage:  # fmt: skip
    """What runs for a tenant: AWS resources tagged with it, counted by type and place, then listed; paged."""
    to_provider = call.caller.is_provider
    if placement == "pool" and not to_provider:
        raise InvalidArgument("Shared resources are listed to the provider alone.", parameter="placement")
    question: dict[str, Any] = {"type": type, "region": region, "placement": placement}
    after = None if cursor is None else call.cursors.read(cursor, question=question)["after"]
    source, wanted = call.sources.resources, Wanted(type, region, placement)
    tagged = await source.of(call.aws, call.one_tenant, wanted, sees_pool=to_provider)
    if not tagged.resources and to_provider:
        await call.sources.tenants.read(call, call.one_tenant)  # of a tenant that is not there, nothing is no answer
    rest = following(tagged.resources, after)
    shown = fitting(rest, limit, to_provider=to_provider)
    more = len(rest) > len(shown)
    all_named = [each.named for each in tagged.resources]
    return ResourcePage(
        total=len(all_named),
        complete=tagged.complete,
        by_type=counts(each.type for each in all_named),
        by_region=counts(each.region for each in all_named),
        by_placement=counts(each.placement for each in tagged.resources),
        by_account=counts(last_digits(each.account) for each in all_named) if to_provider else None,
        searched_region=source.place.region,
        resources=shown,
        count=len(shown),
        truncated=more or not tagged.complete,
        next_cursor=call.cursors.write({"after": rest[len(shown) - 1].key}, question=question) if more else None,
        next=_next(found=bool(all_named), more=more, complete=tagged.complete),
    )


def _next(*, found: bool, more: bool, complete: bool) -> str:
    if more:
        return "list_tenant_resources with the same filters and this cursor"
    if not complete:
        return "list_tenant_resources with a `type`: not all were read"
    if not found:
        return "nothing that matches is tagged with this tenant in this region"
    return "get_costs of cost-explorer for this month's cost by service; the cost of one resource is not known"
