"""`manage_tenant_user`."""

from typing import Annotated

from pydantic import Field
from tenantscope_core.tool import Call, Effects, ShownTo, tool

from tenantscope_tenant_management.sources.open import Sources
from tenantscope_tenant_management.user_answers import UserChange, view
from tenantscope_tenant_management.users import LONGEST_EMAIL, Action, Role, outcome, wanted

_MANAGES = Effects(read_only=False, destructive=True, idempotent=True, open_world=True)  # Cognito writes to the invited


@tool(shown_to=ShownTo.BOTH, scopes={"users:write"}, effects=_MANAGES, names_tenant="required")
async def manage_tenant_user(
    call: Call[Sources],
    action: Annotated[Action, Field(description="invite takes email; the others take user_id.")],
    email: Annotated[
        str | None, Field(description="invite: whom; Cognito sends the invitation.", max_length=LONGEST_EMAIL)
    ] = None,
    user_id: Annotated[
        str | None, Field(description="Whom, by the id that list_tenant_users shows.", max_length=128)
    ] = None,
    role: Annotated[
        Role | None, Field(description="change_role: the new role. invite: the first one, member unless given.")
    ] = None,
) -> UserChange:
    """Invite a user into the tenant, disable, enable or remove one for good, or change its role.

    Refused for oneself, for the last enabled admin, and above the quota of users. Repeating it changes nothing.
    """
    asked = wanted(action, email=email, user_id=user_id, role=role)
    done = await call.sources.user_changes.change(call, call.one_tenant, asked)
    return UserChange(
        changed=done.changed,
        user_id=done.user_id,
        user=None if done.user is None else view(done.user),
        outcome=outcome(asked, done.user, changed=done.changed),
    )
