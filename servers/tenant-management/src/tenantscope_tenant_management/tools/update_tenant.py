"""`update_tenant`."""

from typing import Annotated, Any

from pydantic import Field
from tenantscope_core.results.answers import Answer
from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.statuses import FELT_WITHIN_SECONDS
from tenantscope_core.tool import Call, Effects, ShownTo, tool

from tenantscope_tenant_management.audit import changes
from tenantscope_tenant_management.audit_answers import fitting
from tenantscope_tenant_management.changes import (
    Record,
    changed,
    checked_email,
    checked_name,
    merged_overrides,
    merged_tags,
    terms_of,
    visible,
    with_terms,
)
from tenantscope_tenant_management.events import updated
from tenantscope_tenant_management.sources.open import Sources
from tenantscope_tenant_management.tier_answers import FieldChange, TermsEffect, effect_view
from tenantscope_tenant_management.tiers import effect

_ROOM_BYTES = 8_000


class TenantUpdate(Answer):
    """What a change does, or would do."""

    tenant_id: str
    version: int = Field(description="The version after it; before it, where it is only tried.")
    dry_run: bool = Field(description="Whether it was only tried: nothing is written then.")
    changes: list[FieldChange] = Field(
        description="Fields that change; none: it is so already, and nothing is written."
    )
    shortened: list[str] = Field(
        default=[],
        description="Fields that change too, and are too large to be shown here; list_audit_events has them.",
    )
    effect: TermsEffect | None = Field(default=None, description="What it means for what the tenant may use.")
    followed_within_seconds: int = Field(description="When every server follows, at the latest.")
    next: str | None = Field(default=None, description="What to call next.")


@tool(
    shown_to=ShownTo.PROVIDER,
    scopes={"tenants:write"},
    effects=Effects(read_only=False, destructive=True, idempotent=True, open_world=False),
    names_tenant="required",
)
async def update_tenant(
    call: Call[Sources],
    version: Annotated[int, Field(ge=0, description="The version that get_tenant showed.")],
    tier: Annotated[str | None, Field(description="Another tier, of list_tiers.", min_length=1, max_length=63)] = None,
    name: Annotated[str | None, Field(description="Another name.")] = None,
    email: Annotated[str | None, Field(description="Another contact.")] = None,
    tags: Annotated[
        dict[str, str | None] | None, Field(description="Tags to set; null removes one. Others stay.", max_length=40)
    ] = None,
    quota_overrides: Annotated[
        dict[str, int | None] | None,
        Field(description="Exceptions from the tier's quotas; null removes one. Others stay.", max_length=100),
    ] = None,
    legal_hold: Annotated[
        bool | None, Field(description="True: its data must be kept, it cannot be offboarded. False ends that.")
    ] = None,
    note: Annotated[
        str | None, Field(description="Why, for the provider's own audit trail.", min_length=1, max_length=500)
    ] = None,
    dry_run: Annotated[bool, Field(description="Say what it would do, and do nothing.")] = False,
) -> TenantUpdate:
    """Change a tenant's tier, name, contact, tags, quota exceptions or legal hold.

    Says what the tenant gains, loses and then uses too much of; with `dry_run` before anything is done.
    """
    call.sources.require_admin()
    tenant = call.one_tenant
    before = await call.sources.tenants.read_at(call, tenant, version)
    wanted: dict[str, Any] = {}
    if name is not None:
        wanted["tenantName"] = checked_name(name)
    if email is not None:
        wanted["email"] = checked_email(email)
    if tags is not None:
        wanted["tags"] = merged_tags(before, tags)
    if legal_hold is not None:
        wanted["legalHold"] = legal_hold or None
    after = changed(before, call.now, **wanted)
    if tier is not None or quota_overrides is not None:
        after = await _on_terms(call, before, wanted, tier, quota_overrides or {})
    was, now = changes(visible(before), visible(after))
    fields = sorted({*was, *now})
    if fields and not dry_run:
        await call.sources.tenants.save(
            call, before, after, "tenant.updated", note=note, events=[updated(after, fields)]
        )
    shown_was, shown_now, cut = fitting(was, now, _ROOM_BYTES)
    held, holds = terms_of(before), terms_of(after)
    means = effect(held, holds, {} if held == holds else await _use(call, before))
    return TenantUpdate(
        tenant_id=tenant,
        version=after["version"] if fields and not dry_run else version,
        dry_run=dry_run,
        changes=[
            FieldChange(field=field, before=shown_was.get(field), after=shown_now.get(field))
            for field in fields
            if field not in cut
        ],
        shortened=cut,
        effect=effect_view(means),
        followed_within_seconds=FELT_WITHIN_SECONDS,
        next="update_tenant without dry_run does it" if dry_run and fields else None,
    )


async def _on_terms(
    call: Call[Sources], before: Record, wanted: dict[str, Any], tier: str | None, patch: dict[str, int | None]
) -> dict[str, Any]:
    chosen = await call.sources.tiers.one(call.aws, tier or str(before.get("tier", "")))
    unknown = sorted({name for name, limit in patch.items() if limit is not None} - {*chosen.quotas})
    if unknown:
        known = ", ".join(sorted(chosen.quotas)) or "none"
        raise InvalidArgument(
            f"The tier has no such quota to except from; it has: {known}.", parameter="quota_overrides"
        )
    return with_terms(before, chosen, merged_overrides(before, patch), call.now, **wanted)


async def _use(call: Call[Sources], record: Record) -> dict[str, int]:
    measured = await call.sources.use.of(call, record)
    return {name: one.used for name, one in measured.items()}
