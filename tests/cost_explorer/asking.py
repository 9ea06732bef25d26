"""Asking a tool directly, past identity and credentials, which have tests of their own."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pydantic import BaseModel
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.identity.caller import Audience, Caller
from tenantscope_core.results.cursors import CursorKey
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.tool import Call, Tool
from tenantscope_core.tool.outcome import answered
from tenantscope_cost_explorer.sources.open import Sources

NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Asker:
    """One caller with sources to ask."""

    sources: Sources
    aws: AwsCaller
    now: datetime = NOW

    async def ask(self, tool: Tool, **arguments: Any) -> Any:
        """The answer, which fits what a host may be sent."""
        tenant = self.aws.tenant
        audience = Audience.PROVIDER if tenant is None else Audience.TENANT
        call = Call(
            caller=Caller("someone", audience, tenant, None, frozenset({"costs:read"}), self.now + timedelta(hours=1)),
            tenant=tenant,
            aws=cast(TenantSession, self.aws),
            sources=self.sources,
            now=self.now,
            cursors=CursorKey(b"k" * 32).bind(server="cost-explorer", tool=tool.name, tenant=tenant, subject="someone"),
            report_progress=_ignore,
        )
        answer: BaseModel = await tool.function(call, **tool.bound(arguments))
        _, size = answered(answer)
        assert size <= 8_000  # about 2,000 tokens
        return answer


async def _ignore(done: float, total: float | None, message: str | None) -> None:
    pass
