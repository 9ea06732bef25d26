"""Changes of a tenant's users: looked at first, one at a time, written down before they are done."""

import logging
from dataclasses import dataclass, replace

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import Conflict, ToolFailure

from tenantscope_tenant_management.audit import Note, changes
from tenantscope_tenant_management.events import Event, user_created, user_deleted
from tenantscope_tenant_management.registry import LEAVING, profile
from tenantscope_tenant_management.sources.recording import Asked, Recorder
from tenantscope_tenant_management.sources.tenants import Tenants
from tenantscope_tenant_management.sources.users.directory import Directory, count, require_other_admin
from tenantscope_tenant_management.sources.users.turns import Turn, Turns
from tenantscope_tenant_management.users import (
    User,
    Wanted,
    address_digest,
    after,
    facts,
    over_quota,
    require_allowed,
)

log = logging.getLogger(__name__)

DONE = {
    "invite": "user.invited", "disable": "user.disabled", "enable": "user.enabled", "remove": "user.removed",
    "change_role": "user.role_changed",
}  # fmt: skip
"""By action: what the audit trail calls it, written before it is done. `user.created` and `user.deleted` follow."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a user: None when it is gone; `changed` is False where it was so already."""

    user_id: str
    user: User | None
    changed: bool


class UserChanges:
    """Does to a tenant's users what a caller wants, within the rules."""

    def __init__(self, tenants: Tenants, recorder: Recorder, directory: Directory, turns: Turns) -> None:
        self._tenants = tenants
        self._recorder = recorder
        self._directory = directory
        self._turns = turns

    async def change(self, call: Asked, tenant: str, wanted: Wanted) -> Done:
        """Do it, unless it is so already. Idempotent, but that a user who was removed is not found.

        Raises:
            NotFound: The tenant has no such user.
            InvalidArgument: The address belongs elsewhere.
            Conflict: A rule of `users` or the tenant's quota is against it.
            Unavailable: Another change of its users takes too long.
        """
        done = await (self._invited if wanted.action == "invite" else self._as_wanted)(call, tenant, wanted)
        if done is not None:
            return done
        async with self._turns.take(call.aws, tenant, inviting=wanted.email or None) as turn:
            act = self._invite if wanted.action == "invite" else self._change
            result = await act(call, tenant, wanted, turn)
            turn.is_done = True
            return result

    async def _as_wanted(self, call: Asked, tenant: str, wanted: Wanted) -> Done | None:
        """The user, where it is already what is wanted."""
        user = await self._directory.find(call.aws, tenant, wanted.user_id)
        return Done(user.id, user, changed=False) if after(user, wanted) == user else None

    async def _invited(self, call: Asked, tenant: str, wanted: Wanted) -> Done | None:
        there = await self._directory.find_invited(call.aws, tenant, wanted.email)
        return Done(there.user.id, there.user, changed=False) if there is not None and there.is_member else None

    async def _change(self, call: Asked, tenant: str, wanted: Wanted, turn: Turn) -> Done:
        aws, directory = call.aws, self._directory
        user = await directory.find(aws, tenant, wanted.user_id)
        becomes = after(user, wanted)
        if becomes == user:
            return Done(user.id, user, changed=False)
        if require_allowed(user, wanted, caller=call.caller.subject):
            await require_other_admin(directory, aws, tenant, besides=user.id)
        was, will_be = changes(facts(user), {} if becomes is None else facts(becomes))
        await self._note(call, tenant, DONE[wanted.action], user.id, was, will_be)
        turn.require()
        try:
            if wanted.action == "change_role":
                await directory.set_role(aws, tenant, user.id, wanted.role)
            elif wanted.action == "remove":
                await directory.set_enabled(aws, tenant, user.id, False)  # so that nothing untrue is told if it fails
                await self._note(call, tenant, "user.deleted", user.id, told=user_deleted(tenant, user.id))
                await directory.remove(aws, tenant, user.id)
            else:
                await directory.set_enabled(aws, tenant, user.id, wanted.action == "enable")
        except (AwsError, ToolFailure):
            await self._failed(call, tenant, wanted, user.id)
            raise
        return Done(user.id, None if becomes is None else replace(becomes, updated=call.now), changed=True)

    async def _invite(self, call: Asked, tenant: str, wanted: Wanted, turn: Turn) -> Done:
        aws, directory, email = call.aws, self._directory, wanted.email
        there = await directory.find_invited(aws, tenant, email)
        if there is not None and there.is_member:
            return Done(there.user.id, there.user, changed=False)
        tier = await self._room(call, tenant)
        target = address_digest(tenant, email) if there is None else there.user.id
        asked = {"email": email, "role": wanted.role, "status": "invited"}
        await self._note(call, tenant, DONE["invite"], target, {}, asked)
        turn.require()
        user = None if there is None else there.user
        try:
            user = await directory.create(aws, tenant, email, wanted.role, tier)
            await self._note(call, tenant, "user.created", user.id, {}, asked, user_created(tenant, user.id))
            await directory.admit(aws, tenant, user)
        except (AwsError, ToolFailure):
            await self._undo(call, tenant, wanted, user)
            raise
        return Done(user.id, user, changed=True)

    async def _room(self, call: Asked, tenant: str) -> str:
        """The tier that a new user gets, where the tenant may have one more."""
        record = profile(await self._tenants.read(call, tenant))
        if record.status in LEAVING:
            raise Conflict("The tenant is leaving or has left; nobody can be invited into it.")
        for quota in record.quotas:
            if quota.name == "users":
                used = await count(self._directory, call.aws, tenant, at_most=quota.limit)
                if used >= quota.limit:
                    raise over_quota(quota.limit, used)
        return record.tier

    async def _note(
        self, call: Asked, tenant: str, action: str, target: str, before: dict[str, str] | None = None,
        now: dict[str, str] | None = None, told: Event | None = None,
    ) -> None:  # fmt: skip
        note = Note(action, target, before=before or {}, after=now or {})
        await self._recorder.write(call, tenant, note, events=[] if told is None else [told])

    async def _failed(self, call: Asked, tenant: str, wanted: Wanted, target: str, told: Event | None = None) -> None:
        try:
            await self._note(call, tenant, f"user.{wanted.action}_failed", target, told=told)
        except (AwsError, ToolFailure) as error:
            log.warning("a failed change of a user is not in the audit trail: %s", type(error).__name__)

    async def _undo(self, call: Asked, tenant: str, wanted: Wanted, user: User | None) -> None:
        """Take back what an invitation that failed has made, as far as that can be done now."""
        told: Event | None = None
        try:
            there = await self._directory.find_invited(call.aws, tenant, wanted.email)
            if there is not None and (user is not None or not there.is_member):
                await self._directory.discard(call.aws, tenant, there.user)
                told = None if user is None else user_deleted(tenant, user.id)
        except (AwsError, ToolFailure) as error:
            log.warning("an invitation stays half made until it is repeated: %s", type(error).__name__)
        target = address_digest(tenant, wanted.email) if user is None else user.id
        await self._failed(call, tenant, wanted, target, told)
