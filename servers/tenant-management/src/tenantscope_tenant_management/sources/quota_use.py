"""How much of its quotas a tenant uses: measured by the servers' own metering and by its directory of users."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from tenantscope_core.credentials.errors import AwsError
from tenantscope_core.results.errors import ToolFailure

from tenantscope_tenant_management.changes import Record
from tenantscope_tenant_management.registry import Use, mapping_of, recorded_use, whole
from tenantscope_tenant_management.sources.recording import Asked
from tenantscope_tenant_management.sources.users.directory import Directory, count

if TYPE_CHECKING:
    from tenantscope_core.metering.use import MeteredUse
    from tenantscope_core.stores.valkey import ValkeyStore

log = logging.getLogger(__name__)

MOST_USERS_COUNTED = 600
METERED: Mapping[str, Callable[["MeteredUse"], int]] = {
    "requests_per_minute": lambda use: use.calls_last_full_minute,
    "concurrent_requests": lambda use: use.running_now,
    "requests_per_month": lambda use: use.calls_this_month,
    "answer_tokens_per_month": lambda use: use.answer_tokens_this_month,
}
"""Quotas by name that the servers measure themselves, all of them together."""


class QuotaUse:
    """Measures what can be measured; a source that is down leaves its quotas out, and fails nothing."""

    def __init__(self, directory: Directory, valkey: Callable[[], "ValkeyStore"] | None) -> None:
        self._directory = directory
        self._valkey = valkey

    async def of(self, call: Asked, record: Record) -> Mapping[str, Use]:
        """Use by quota: measured now where that is possible, else as the record says it was last."""
        tenant, quotas = str(record["tenantId"]), mapping_of(record.get("quotas"))
        found = dict(recorded_use(record))
        if any(name in METERED for name in quotas):
            found |= await self._metered(tenant, call.now)
        if "users" in quotas:
            found |= await self._users(call, tenant, whole(quotas["users"], "quotas"))
        return found

    async def _metered(self, tenant: str, now: datetime) -> dict[str, Use]:
        if self._valkey is None:
            return {}
        from tenantscope_core.metering.use import read_use  # the client takes long to import

        use = await read_use(self._valkey(), tenant, now)
        return {} if use is None else {name: Use(read(use), now) for name, read in METERED.items()}

    async def _users(self, call: Asked, tenant: str, limit: int) -> dict[str, Use]:
        most = min(limit + 1, MOST_USERS_COUNTED)
        try:
            users = await count(self._directory, call.aws, tenant, at_most=most)
        except (AwsError, ToolFailure) as error:
            log.info("users not counted: %s", type(error).__name__)
            return {}
        return {"users": Use(users, call.now, at_least=users >= most)}
