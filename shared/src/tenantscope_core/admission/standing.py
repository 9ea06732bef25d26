"""What the registry says of a tenant, read with the tenant's own credentials and kept briefly."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import anyio

from tenantscope_core.admission.quotas import NO_QUOTAS, Quotas, quotas_of
from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import NotPermitted, TenantNotRegistered, TenantSuspended, Unavailable
from tenantscope_core.results.statuses import (
    ACTIVE_STATUSES,
    FELT_WITHIN_SECONDS,
    KNOWN_STATUSES,
    SWITCHES,
    status_in_effect,
)
from tenantscope_core.stores.aws import AwsCaller

log = logging.getLogger(__name__)

FRESH_FOR = timedelta(seconds=FELT_WITHIN_SECONDS)
TRUSTED_FOR = timedelta(minutes=15)  # how long an active tenant keeps working while the registry is unreachable
ASK_AGAIN_AFTER = timedelta(seconds=5)  # between attempts while it is unreachable
GOES_ON_FOR = FRESH_FOR + ASK_AGAIN_AFTER  # what was read longer ago is not gone by while another call asks
KNOWN_WAITS_SECONDS = 2.0  # a registry that is slower than this is as good as down for a tenant whose standing is known
NEW_WAITS_SECONDS = 8.0
MAX_REMEMBERED = 50_000
REASONS = {
    "payment_overdue": "a payment is overdue",
    "security": "its security is being looked into",
    "abuse": "its use broke the terms of service",
    "requested": "it asked for this itself",
    "maintenance": "work is being done on it",
}
"""Our words for the codes that `statusReason` holds; `other` and what is not here are not spoken of."""
_ATTRIBUTES = ("tenantStatus", *SWITCHES, "statusReason", "tier", "quotas")
_ON = {"BOOL": True}
_NAMES = {f"#{number}": name for number, name in enumerate(_ATTRIBUTES)}  # a name may be a word of DynamoDB's own


@dataclass(frozen=True, slots=True)
class Standing:
    """What the registry says of one tenant; a `status` of None is a tenant that it does not know."""

    status: str | None
    reason: str | None = None
    tier: str | None = None
    quotas: Quotas = NO_QUOTAS


@dataclass(frozen=True, slots=True)
class _Seen:
    standing: Standing
    at: datetime
    ask_again: datetime
    next_turn: datetime  # before which no refused caller has it read
    reached: bool = True  # whether the registry answered when it was last asked


class Standings:
    """The standing of tenants in a registry table keyed by `tenantId` (the AWS SaaS Builder Toolkit's layout)."""

    def __init__(self, table: str, *, clock: Callable[[], datetime]) -> None:
        self._table = table
        self._clock = clock
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def known(self, tenant: str) -> Standing | None:
        """What this process has read of a tenant, none of it older than a quarter of an hour."""
        seen = self._seen.get(tenant)
        return seen.standing if seen is not None and self._is_trusted(seen) else None

    def take_turn(self, tenant: str) -> bool:
        """Whether what is known of a tenant is due to be read anew, and it is this caller who shall do it."""
        now, seen = self._clock(), self._seen.get(tenant)
        if seen is None or now < max(seen.ask_again, seen.next_turn) or not self._is_trusted(seen):
            return False
        self._remember(tenant, replace(seen, next_turn=now + ASK_AGAIN_AFTER))
        return True

    async def read_anew(self, tenant: str, aws: AwsCaller) -> None:
        """Read a tenant's record now; while the registry cannot be asked, what is known of the tenant stays.

        Raises:
            Unavailable: The registry cannot be asked, and nothing recent is known of this tenant.
        """
        await self._ask(tenant, aws, self._seen.get(tenant))

    async def require_active(self, tenant: str, aws: AwsCaller) -> Standing:
        """Let an active tenant pass, and say what the registry says of it.

        Raises:
            TenantSuspended: The registry has it switched off.
            TenantNotRegistered: The registry does not know it.
            Unavailable: The registry cannot be asked, and nothing recent is known of this tenant.
        """
        now = self._clock()
        seen = self._seen.get(tenant)
        if seen is None or now >= seen.ask_again:
            seen = await self._ask(tenant, aws, seen)
        standing = seen.standing
        if standing.status is None:
            raise TenantNotRegistered("This tenant is not in the registry. The SaaS company has to register it first.")
        if standing.status not in ACTIVE_STATUSES:
            raise TenantSuspended(
                f"This tenant is switched off in the registry{_why(standing)}. The SaaS company can switch it on."
            )
        return standing

    async def _ask(self, tenant: str, aws: AwsCaller, last: _Seen | None) -> _Seen:
        now = self._clock()
        trusted = last is not None and self._is_trusted(last)
        if last is not None and trusted and (now - last.at <= GOES_ON_FOR or not last.reached):
            self._remember(tenant, replace(last, ask_again=now + ASK_AGAIN_AFTER))  # one call asks, the others go on
        try:
            with anyio.fail_after(KNOWN_WAITS_SECONDS if trusted else NEW_WAITS_SECONDS):
                answer = await aws.call(
                    "dynamodb",
                    "get_item",
                    TableName=self._table,
                    Key={"tenantId": {"S": tenant}},
                    ProjectionExpression=", ".join(_NAMES),
                    ExpressionAttributeNames=_NAMES,
                )
        except (AwsError, NotPermitted, Unavailable, TimeoutError) as error:
            return self._remember(tenant, self._unreachable(last, error))
        now = self._clock()
        return self._remember(tenant, _Seen(_standing(answer.get("Item")), now, now + FRESH_FOR, now + FRESH_FOR))

    def _unreachable(self, last: _Seen | None, error: Exception) -> _Seen:
        now = self._clock()
        if last is None or not self._is_trusted(last):
            log.warning("registry not read: %s", type(error).__name__)
            raise Unavailable(
                "The tenant registry cannot be read just now, so this tenant's standing is not known.",
                retry_after_seconds=ASK_AGAIN_AFTER.total_seconds(),
            ) from error
        return replace(last, ask_again=now + ASK_AGAIN_AFTER, reached=False)

    def _is_trusted(self, seen: _Seen) -> bool:
        return self._clock() - seen.at <= TRUSTED_FOR

    def _remember(self, tenant: str, seen: _Seen) -> _Seen:
        self._seen[tenant] = seen
        self._seen.move_to_end(tenant)
        if len(self._seen) > MAX_REMEMBERED:
            self._seen.popitem(last=False)
        return seen


def _standing(item: dict[str, Any] | None) -> Standing:
    """The status is `inactive` where a soft-delete switch of the Toolkit's contradicts an active one."""
    if item is None:
        return Standing(None)
    switched_on = all(item.get(name, _ON) == _ON for name in SWITCHES)
    status = status_in_effect(_text(item, "tenantStatus"), switched_on=switched_on)
    return Standing(status, _text(item, "statusReason"), _text(item, "tier"), quotas_of(item))


def _text(item: dict[str, Any], name: str) -> str | None:
    return item.get(name, {}).get("S") or None


def _why(standing: Standing) -> str:
    """Status and reason in our words alone: what else a record holds was written by others."""
    status = f": it is {standing.status}" if standing.status in KNOWN_STATUSES else ""
    reason = REASONS.get(standing.reason or "")
    return f"{status}, because {reason}" if status and reason else status
