"""From a grant to temporary credentials: the two ways that STS offers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tenantscope_core.credentials.asserted import asserted_values
from tenantscope_core.credentials.aws import FrozenCredentials
from tenantscope_core.credentials.errors import AwsError, Fault
from tenantscope_core.credentials.names import Kind, role_session_name, source_identity
from tenantscope_core.credentials.sts import Sts
from tenantscope_core.identity.caller import Caller, is_tenant_id

SHORTEST_SESSION_SECONDS = 900
LONGEST_SESSION_SECONDS = 3_600
"""A role assumed from a role lasts an hour at most, whatever the role itself allows."""

_INVALID_TOKEN = frozenset({"ExpiredToken", "ExpiredTokenException", "InvalidIdentityToken", "IDPRejectedClaim"})
_WEB_IDENTITY = "assume_role_with_web_identity"


@dataclass(frozen=True, slots=True)
class Grant:
    """Which role to take for whom.

    `subject` is the one person or agent that the session is kept for, and its source identity; None where the callers
    of a tenant share a session, which then carries the tenant's name. `tenant=None` is the provider's whole fleet.
    `is_provider` says on whose side the caller is: a tenant's token names the tenant itself, the provider's cannot.
    `is_admin` is for what the provider does to one tenant, beyond what the tenant may do itself.
    """

    server: str
    role_arn: str
    tenant: str | None
    tier: str | None
    scopes: frozenset[str]
    subject: str | None = None
    token: str | None = field(default=None, repr=False)
    token_expires: datetime | None = None
    is_provider: bool = False
    is_admin: bool = False

    def __post_init__(self) -> None:
        if self.tenant is not None and not is_tenant_id(self.tenant):
            raise ValueError("not a tenant id")
        if self.tenant is None and not self.is_provider:
            raise ValueError("a fleet session is the provider's")
        if self.is_admin and (not self.is_provider or self.tenant is None):
            raise ValueError("only the provider administers, and one tenant at a time")
        if self.is_provider and self.subject is None:
            raise ValueError("a provider's session names the person or agent behind it")
        if self.subject == "":
            raise ValueError("the subject is empty")

    @property
    def key(self) -> tuple[object, ...]:
        """What two grants have in common when one session serves both."""
        role = (self.server, self.role_arn, self.is_admin)
        return (*role, self.tenant, self.tier, self.scopes, self.subject, self.is_provider)

    @property
    def who(self) -> tuple[str, Kind]:
        """The name that the session carries in the audit trail."""
        if self.subject is None:
            assert self.tenant is not None
            return self.tenant, Kind.TENANT
        return self.subject, Kind.STAFF if self.is_provider else Kind.USER


def grant_for(
    caller: Caller,
    *,
    server: str,
    role_arn: str,
    tenant: str | None,
    tier: str | None = None,
    token: str | None = None,
    per_subject: bool = False,
    is_admin: bool = False,
) -> Grant:
    """The grant of a verified caller for a call about `tenant`, None being the fleet.

    A tenant's callers share one session per scopes, unless `per_subject`. The provider's staff and agents never share,
    so that CloudTrail names the one who acted.

    Raises:
        ValueError: A tenant's caller with another tenant than its own, or none, or to administer; a subject that is
            needed and empty.
    """
    if not caller.is_provider and (tenant is None or tenant != caller.tenant):
        raise ValueError("a tenant's caller gets a session of its own tenant only")
    if is_admin and not caller.is_provider:
        raise ValueError("a tenant's caller administers nothing")
    return Grant(
        server=server,
        role_arn=role_arn,
        tenant=tenant,
        tier=tier if caller.is_provider else caller.tier,
        scopes=caller.scopes,
        subject=caller.subject if per_subject or caller.is_provider else None,
        token=token,
        token_expires=caller.expires,
        is_provider=caller.is_provider,
        is_admin=is_admin,
    )


@dataclass(frozen=True, slots=True)
class Vended:
    """Credentials and when STS ends them."""

    credentials: FrozenCredentials
    expires: datetime


class WebIdentityRefused(AwsError):
    """The token of one caller was refused, which says nothing about the role or other callers.

    `sentence` is for the caller, where the token alone is at fault; None where the role or the policy may be.
    """

    def __init__(self, code: str, sentence: str | None, fault: Fault = Fault.OTHER) -> None:
        super().__init__(code, _WEB_IDENTITY, fault)
        self.sentence = sentence


class Broker(Protocol):
    """Turns a grant into credentials; asks STS each time, and remembers nothing."""

    async def prepare(self) -> None:
        """Make ahead what the first call would otherwise wait for; it may fail, as that call then does."""
        ...

    async def assume(self, grant: Grant) -> Vended:
        """Fresh credentials for a grant.

        Raises:
            AwsError: STS refused, or did not answer in time.
        """
        ...


Policy = Callable[[Grant], str | None]
"""The session policy of a grant; see `render_session_policy`."""


class AssumeRoleBroker:
    """`AssumeRole` with our own identity; the tags say which tenant, and go along to any further role."""

    def __init__(
        self,
        sts: Sts,
        *,
        policy: Policy,
        external_id: str | None = None,
        duration_seconds: int = LONGEST_SESSION_SECONDS,
        tenant_tag: str = "TenantId",
        tier_tag: str = "TenantTier",
    ) -> None:
        self._sts = sts
        self._policy = policy
        self._external_id = external_id
        self._duration_seconds = _checked(duration_seconds)
        self._tenant_tag = tenant_tag
        self._tier_tag = tier_tag

    async def prepare(self) -> None:
        """Build the client."""
        await self._sts.prepare()

    async def assume(self, grant: Grant) -> Vended:
        """Fresh credentials for a grant."""
        parameters = _common(grant, self._policy(grant), self._duration_seconds)
        parameters["SourceIdentity"] = source_identity(*grant.who)
        tags = {self._tenant_tag: grant.tenant, self._tier_tag: grant.tier if grant.tenant is not None else None}
        kept = {key: value for key, value in tags.items() if value is not None}
        if kept:
            parameters["Tags"] = [{"Key": key, "Value": value} for key, value in kept.items()]
            parameters["TransitiveTagKeys"] = list(kept)
        if self._external_id is not None:
            parameters["ExternalId"] = self._external_id
        return _vended(await self._sts.assume_role(parameters))


class WebIdentityBroker:
    """`AssumeRoleWithWebIdentity` with the caller's token: the identity provider says which tenant, and we cannot.

    The provider's tokens name no tenant; their grants go to `provider`, where one is given.
    """

    def __init__(
        self,
        sts: Sts,
        *,
        policy: Policy,
        duration_seconds: int = LONGEST_SESSION_SECONDS,
        tenant_tag: str = "TenantId",
        provider: Broker | None = None,
    ) -> None:
        self._provider = provider
        self._sts = sts
        self._policy = policy
        self._duration_seconds = _checked(duration_seconds)
        self._tenant_tag = tenant_tag

    async def prepare(self) -> None:
        """Build the client; the provider's own waits for its first call, for it may lack an identity to sign with."""
        await self._sts.prepare_unsigned()

    async def assume(self, grant: Grant) -> Vended:
        """Fresh credentials for a grant."""
        if self._provider is not None and grant.is_provider:
            return await self._provider.assume(grant)
        token = self._checked_token(grant)
        parameters = _common(grant, self._policy(grant), self._duration_seconds)
        parameters["WebIdentityToken"] = token
        try:
            return _vended(await self._sts.assume_role_with_web_identity(parameters))
        except AwsError as error:
            if error.retryable:
                raise
            if error.code in _INVALID_TOKEN:
                sentence = "AWS did not accept the token as a web identity; the call needs a new one."
                raise WebIdentityRefused(error.code, sentence) from error
            # Whatever else: the token's tags may be what a trust policy refuses, or too long for the session policy.
            raise WebIdentityRefused(error.code, None, error.fault) from error

    def _checked_token(self, grant: Grant) -> str:
        """The token, if its tags say what the grant says: its session is shared with the tenant's other callers."""
        if grant.token is None:
            raise WebIdentityRefused("MissingToken", "This call needs a token that AWS takes as a web identity.")
        try:
            asserted = asserted_values(grant.token, self._tenant_tag)
        except ValueError:
            raise WebIdentityRefused("MalformedToken", "The token cannot be read; the call needs a new one.") from None
        if asserted == {grant.tenant}:
            return grant.token
        code, fault = ("TagDiffers", "is not its tenant") if asserted else ("TagMissing", "is missing")
        raise WebIdentityRefused(
            code,
            f"The token's AWS session tag {self._tenant_tag} {fault}, so it opens no data here; whoever runs the "
            "issuer has to make its tokens name the tenant in that tag.",
        )


def _checked(duration_seconds: int) -> int:
    if not SHORTEST_SESSION_SECONDS <= duration_seconds <= LONGEST_SESSION_SECONDS:
        raise ValueError(f"a session lasts {SHORTEST_SESSION_SECONDS} to {LONGEST_SESSION_SECONDS} seconds")
    return duration_seconds


def _common(grant: Grant, policy: str | None, duration_seconds: int) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "RoleArn": grant.role_arn,
        "RoleSessionName": role_session_name(grant.server, *grant.who),
        "DurationSeconds": duration_seconds,
    }
    if policy is not None:
        parameters["Policy"] = policy
    return parameters


def _vended(response: dict[str, Any]) -> Vended:
    found = response["Credentials"]
    credentials = FrozenCredentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
    return Vended(credentials, found["Expiration"])
