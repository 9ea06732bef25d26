"""`create_tenant`."""

from typing import Annotated, Any

from pydantic import Field
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.tool import Call, Effects, ShownTo, tool

from tenantscope_tenant_management.changes import checked_email, checked_name, merged_tags
from tenantscope_tenant_management.config_patch import patched, require_fit
from tenantscope_tenant_management.lifecycle_answers import Onboarded, progress
from tenantscope_tenant_management.sources.open import Sources
from tenantscope_tenant_management.sources.workflows.taking_in import Request
from tenantscope_tenant_management.users import address
from tenantscope_tenant_management.workflow import digest_of


@tool(
    shown_to=ShownTo.PROVIDER,
    scopes={"tenants:write"},
    effects=Effects(read_only=False, destructive=False, idempotent=True, open_world=True),
    names_tenant="required",
)
async def create_tenant(
    call: Call[Sources],
    name: Annotated[str, Field(description="The tenant's name, as people know it.")],
    tier: Annotated[
        str | None, Field(description="A tier of list_tiers; that of `like` if left out.", min_length=1, max_length=63)
    ] = None,
    like: Annotated[
        str | None,
        Field(
            description="A tenant whose tags and settings it gets; its tier and plan too, unless tier is another.",
            pattern=r"^[A-Za-z0-9_-]{1,63}$",
        ),
    ] = None,
    email: Annotated[str | None, Field(description="The tenant's contact.")] = None,
    admin_email: Annotated[str | None, Field(description="Its first user, an admin, who is invited by e-mail.")] = None,
    plan: Annotated[
        str | None, Field(description="Its plan, if not the tier's own.", min_length=1, max_length=63)
    ] = None,
    tags: Annotated[dict[str, str] | None, Field(description="Tags to find it by.", max_length=20)] = None,
    config: Annotated[dict[str, Any] | None, Field(description="Settings, over those of `like`.")] = None,
    sample_data: Annotated[bool, Field(description="Switch on the product's sample data for it.")] = False,
    request_key: Annotated[
        str | None,
        Field(description="The same key and arguments go on with one request; made from these if left out.",
              pattern=r"^[A-Za-z0-9_.:-]{1,100}$"),
    ] = None,
) -> Onboarded:  # fmt: skip
    """Take in a new tenant under the id in tenant_id, step by step, up to where its users can sign in and call.

    Safe to repeat: the same call goes on where one stopped, and does nothing twice. A step that fails for good undoes
    what was done.
    """
    sources, tenant = call.sources, call.one_tenant
    sources.require_admin()
    if tenant == sources.pool_mark:
        raise InvalidArgument("This id marks what all tenants share; choose another.", parameter="tenant_id")
    if admin_email is not None and not sources.keeps_users:
        raise InvalidArgument(
            "Users are kept at the company's identity provider; leave admin_email out and invite the first user there.",
            parameter="admin_email",
        )
    asked = digest_of(
        {"name": name, "tier": tier, "like": like, "email": email, "admin_email": admin_email, "plan": plan,
         "tags": tags, "config": config, "sample_data": sample_data}
    )  # fmt: skip
    key = request_key or asked
    request = None
    if await sources.taking_in.known(call, tenant, key, asked) is None:
        model = None if like is None else await sources.taking_in.model(call, like)
        request = Request(
            name=checked_name(name),
            tier=await _tier(call, tier or (model.tier if model else None)),
            email=None if email is None else checked_email(email),
            admin_email=None if admin_email is None else address(admin_email, parameter="admin_email"),
            plan=plan or (model.plan if model and tier in (None, model.tier) else None),
            tags=merged_tags({"tags": model.tags if model else {}}, tags or {}),
            config=patched(model.config if model else {}, config or {}),
            sample_data=sample_data,
        )
        require_fit(request.config, sources.config_schema, parameter="config")
    flow = await sources.taking_in.take_in(call, tenant, key, asked, request)
    record = await sources.tenants.read(call, tenant)
    return Onboarded(
        tenant_id=tenant,
        name=str(record["tenantName"]),
        tier=str(record["tier"]),
        status=str(record["tenantStatus"]).lower(),
        version=int(record["version"]),
        workflow=progress(flow),
        next=None if flow.finished else "create_tenant with the same arguments goes on with it",
    )


async def _tier(call: Call[Sources], name: str | None) -> str:
    if name is None:
        raise InvalidArgument("tier is required unless `like` names a tenant.", parameter="tier")
    return (await call.sources.tiers.one(call.aws, name)).name
