"""STS, called with the process's own identity or, for a web identity, with none."""

import functools
import random as random_module
from collections.abc import Callable
from typing import Any

from tenantscope_core.credentials.clients import ServiceClients, new_session
from tenantscope_core.credentials.workers import CallLimits

STS_LIMITS = CallLimits(deadline_seconds=8.0, connect_seconds=2.0, read_seconds=4.0, attempts=2, concurrent=64)


class Sts:
    """The two operations that vend credentials, on threads that nothing else uses."""

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        limits: CallLimits = STS_LIMITS,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        session = functools.cache(new_session)
        self._own = ServiceClients(session, region=region, endpoint_url=endpoint_url, limits=limits, random=random)
        self._unsigned = ServiceClients(
            session, region=region, endpoint_url=endpoint_url, limits=limits, random=random, unsigned=True
        )

    async def prepare(self) -> None:
        """Build the client for `assume_role`, the process's own identity found."""
        await self._own.prepare("sts")

    async def prepare_unsigned(self) -> None:
        """Build the client for `assume_role_with_web_identity`."""
        await self._unsigned.prepare("sts")

    async def assume_role(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """`AssumeRole`, signed with the process's own identity."""
        return await self._own.invoke("sts", "assume_role", parameters)

    async def assume_role_with_web_identity(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """`AssumeRoleWithWebIdentity`, unsigned."""
        return await self._unsigned.invoke("sts", "assume_role_with_web_identity", parameters)

    def close(self) -> None:
        """Close the connections."""
        self._own.close()
        self._unsigned.close()
