"""Whether a tenant may call at all: the registry's switch, read with the tenant's own credentials and kept briefly."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import anyio

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import NotPermitted, TenantNotRegistered, TenantSuspended, Unavailable
from tenantscope_core.stores.aws import AwsCaller

log = logging.getLogger(__name__)

FRESH_FOR = timedelta(seconds=30)  # how long a suspension may take to be felt
TRUSTED_FOR = timedelta(minutes=15)  # how long an active tenant keeps working while the registry is unreachable
ASK_AGAIN_AFTER = timedelta(seconds=5)  # between attempts while it is unreachable
KNOWN_WAITS_SECONDS = 2.0  # a registry that is slower than this is as good as down for a tenant whose standing is known
NEW_WAITS_SECONDS = 8.0
MAX_REMEMBERED = 50_000
ACTIVE_STATUSES = frozenset({"active", "trial"})


@dataclass(frozen=True, slots=True)
class _Seen:
    status: str | None  # None: not registered
    at: datetime
    ask_again: datetime


class Standings:
    """The standing of tenants in a registry table keyed by `tenantId` (the AWS SaaS Builder Toolkit's layout)."""

    def __init__(self, table: str, *, clock: Callable[[], datetime]) -> None:
        self._table = table
        self._clock = clock
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    async def require_active(self, tenant: str, aws: AwsCaller) -> None:
        """Let an active tenant pass.

        Raises:
            TenantSuspended: The registry has it switched off.
            TenantNotRegistered: The registry does not know it.
            Unavailable: The registry cannot be asked, and nothing recent is known of this tenant.
        """
        now = self._clock()
        seen = self._seen.get(tenant)
        if seen is None or now >= seen.ask_again:
            seen = await self._ask(tenant, aws, seen)
        if seen.status is None:
            raise TenantNotRegistered("This tenant is not in the registry. The SaaS company has to register it first.")
        if seen.status not in ACTIVE_STATUSES:
            raise TenantSuspended(
                f"This tenant is switched off in the registry: it is {seen.status}. The SaaS company can switch it on."
            )

    async def _ask(self, tenant: str, aws: AwsCaller, last: _Seen | None) -> _Seen:
        now = self._clock()
        trusted = last is not None and now - last.at <= TRUSTED_FOR
        if last is not None and trusted:
            self._remember(tenant, replace(last, ask_again=now + ASK_AGAIN_AFTER))  # one call asks, the others go on
        try:
            with anyio.fail_after(KNOWN_WAITS_SECONDS if trusted else NEW_WAITS_SECONDS):
                answer = await aws.call(
                    "dynamodb",
                    "get_item",
                    TableName=self._table,
                    Key={"tenantId": {"S": tenant}},
                    ProjectionExpression="tenantStatus, sbtaws_active",
                )
        except (AwsError, NotPermitted, Unavailable, TimeoutError) as error:
            return self._remember(tenant, self._unreachable(last, error))
        now = self._clock()
        return self._remember(tenant, _Seen(_status(answer.get("Item")), now, now + FRESH_FOR))

    def _unreachable(self, last: _Seen | None, error: Exception) -> _Seen:
        now = self._clock()
        if last is None or now - last.at > TRUSTED_FOR:
            log.warning("registry not read: %s", type(error).__name__)
            raise Unavailable(
                "The tenant registry cannot be read just now, so this tenant's standing is not known.",
                retry_after_seconds=ASK_AGAIN_AFTER.total_seconds(),
            ) from error
        return _Seen(last.status, last.at, now + ASK_AGAIN_AFTER)

    def _remember(self, tenant: str, seen: _Seen) -> _Seen:
        self._seen[tenant] = seen
        self._seen.move_to_end(tenant)
        if len(self._seen) > MAX_REMEMBERED:
            self._seen.popitem(last=False)
        return seen


def _status(item: dict[str, Any] | None) -> str | None:
    """The status in lower case; `inactive` where the toolkit's soft-delete switch contradicts an active one."""
    if item is None:
        return None
    status = str(item.get("tenantStatus", {}).get("S", "")).lower() or "unknown"
    switched_on = item.get("sbtaws_active", {}).get("BOOL", True)
    return "inactive" if status in ACTIVE_STATUSES and not switched_on else status
