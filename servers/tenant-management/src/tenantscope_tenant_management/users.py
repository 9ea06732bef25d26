"""A tenant's users: who they are, what may be done to them, and what may not."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from tenantscope_core.results.errors import Conflict, InvalidArgument, NotFound

Role = Literal["admin", "member"]
Status = Literal["invited", "active", "disabled"]
Action = Literal["invite", "disable", "enable", "remove", "change_role"]

LONGEST_EMAIL = 254
_LOCAL = r"[a-z0-9_](?:[a-z0-9_+%-]|\.(?!\.|@)){0,63}"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_EMAIL = re.compile(rf"{_LOCAL}@(?:{_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]")
_USER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,127}")
_TAKES: Mapping[Action, tuple[frozenset[str], frozenset[str]]] = {
    "invite": (frozenset({"email"}), frozenset({"role"})),
    "disable": (frozenset({"user_id"}), frozenset()),
    "enable": (frozenset({"user_id"}), frozenset()),
    "remove": (frozenset({"user_id"}), frozenset()),
    "change_role": (frozenset({"user_id", "role"}), frozenset()),
}
"""By action: the arguments that it needs, and those that it takes beside them."""


@dataclass(frozen=True, slots=True)
class User:
    """One user of a tenant. `subject` is what its tokens call it; `confirmed` once it has signed in."""

    id: str
    subject: str
    email: str
    role: Role
    enabled: bool
    confirmed: bool
    created: datetime
    updated: datetime

    @property
    def status(self) -> Status:
        """Disabled whatever came before; else whether the invitation was taken up."""
        if not self.enabled:
            return "disabled"
        return "active" if self.confirmed else "invited"

    @property
    def is_enabled_admin(self) -> bool:
        """Whether the tenant can be administered by it; one that is invited counts."""
        return self.enabled and self.role == "admin"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller wants done; `email` is set for an invitation, `user_id` for everything else."""

    action: Action
    email: str = ""
    user_id: str = ""
    role: Role = "member"


def wanted(action: Action, *, email: str | None, user_id: str | None, role: Role | None) -> Wanted:
    """The arguments of a change, checked against one another.

    Raises:
        InvalidArgument: One is missing, does not go with the action, or is no e-mail address.
    """
    given = {name for name, value in (("email", email), ("user_id", user_id), ("role", role)) if value is not None}
    needed, also = _TAKES[action]
    for name in ("email", "user_id", "role"):
        if name in given - needed - also:
            raise InvalidArgument(f"{name} does not go with action {action}; leave it out.", parameter=name)
        if name in needed - given:
            raise InvalidArgument(f"{name} is required for action {action}.", parameter=name)
    return Wanted(
        action, email=address(email) if email is not None else "", user_id=user_id or "", role=role or "member"
    )


def address(text: str, *, parameter: str = "email") -> str:
    """An e-mail address in the form in which it is kept and compared: small letters.

    Raises:
        InvalidArgument: It is none of the usual kind.
    """
    # Small letters only of ASCII: other alphabets have letters whose small form is one of ours.
    if text.isascii() and len(text) <= LONGEST_EMAIL and _EMAIL.fullmatch(text.lower()):
        return text.lower()
    raise InvalidArgument(
        f"{parameter} must be an address such as ana@example.com, of at most {LONGEST_EMAIL} characters.",
        parameter=parameter,
    )


def is_user_id(text: str) -> bool:
    """Whether a text can be the id of a user at all; an e-mail address cannot."""
    return _USER_ID.fullmatch(text) is not None


def role_of(text: str | None) -> Role:
    """A role as it is kept; whatever is none of ours has no more rights than a member."""
    return "admin" if text == "admin" else "member"


def after(user: User, change: Wanted) -> User | None:
    """What a user is after a change; None when it is gone. An invitation leaves one that is there as it is."""
    match change.action:
        case "remove":
            return None
        case "disable" | "enable":
            return replace(user, enabled=change.action == "enable")
        case "change_role":
            return replace(user, role=change.role)
        case "invite":
            return user


def require_allowed(user: User, change: Wanted, *, caller: str) -> bool:
    """Refuse what nobody may do to oneself; tell whether another enabled admin must be left.

    Raises:
        Conflict: The caller would take away its own access or role.
    """
    takes_away = user.is_enabled_admin and not ((left := after(user, change)) and left.is_enabled_admin)
    if caller in (user.id, user.subject) and (takes_away or change.action in ("disable", "remove")):
        raise Conflict("Nobody can disable, remove or demote oneself; another admin of the tenant can.")
    return takes_away


def last_admin() -> Conflict:
    """The refusal to leave a tenant without anybody who can administer it."""
    return Conflict(
        "This is the tenant's last enabled admin. Make another user admin first; a tenant that leaves is offboarded."
    )


def unknown_user() -> NotFound:
    """The one answer for users that are not there, are another tenant's, or are the provider's own staff."""
    return NotFound("The tenant has no such user; list_tenant_users shows those it has.", parameter="user_id")


def taken() -> InvalidArgument:
    """The one answer for addresses that have a user elsewhere, wherever that is."""
    return InvalidArgument("This address cannot be invited here; use another one.", parameter="email")


def over_quota(limit: int, used: int) -> Conflict:
    """The refusal to invite more users than the tenant may have."""
    return Conflict(
        f"The tenant may have {limit:,} users and has {used:,}, disabled ones among them. Remove one, or have the "
        "quota raised."
    )


def facts(user: User) -> dict[str, str]:
    """What the audit trail says of a user."""
    return {"email": user.email, "role": user.role, "status": user.status}


def address_digest(tenant: str, email: str) -> str:
    """What the audit trail calls a user that has no id yet; no address stands where it cannot be erased."""
    return "email:" + hashlib.sha256(f"{tenant}\n{email}".encode()).hexdigest()[:16]


def outcome(change: Wanted, user: User | None, *, changed: bool) -> str:
    """What a caller is told of a change that was done or was not needed; `user` is as it is now, None once gone."""
    if user is None:
        return "Removed: signed out, and its sign-in deleted. Tokens that it has serve until they expire."
    if not changed:
        also = " An invitation changes no role: use change_role." if change.action == "invite" else ""
        return f"Nothing was done: this user is {user.status}, with role {user.role}, already.{also}"
    match change.action:
        case "invite":
            return f"Invited as {user.role}: an e-mail with a first password is on its way."
        case "disable":
            return "Disabled and signed out. Tokens that it has serve until they expire."
        case "enable":
            return "Enabled: it can sign in again."
        case _:
            return f"Is {user.role} now, and signed out; its next token has that role's scopes."
