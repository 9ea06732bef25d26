"""AWS calls signed with the credentials of one subject, a tenant or the provider."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Protocol

import anyio
import jmespath

from tenantscope_core.credentials.aws import AwsClients, FrozenCredentials
from tenantscope_core.credentials.broker import Grant, Vended
from tenantscope_core.credentials.errors import AwsError, Fault


class Vending(Protocol):
    """Where a session gets its credentials from, anew for each call: the vault, or a test of it."""

    async def vend(self, grant: Grant) -> Vended:
        """Credentials that serve now."""
        ...

    def discard(self, grant: Grant, vended: Vended) -> None:
        """Take note that AWS calls these credentials expired."""
        ...


class TenantSession:
    """AWS calls signed with credentials vended for one subject; `tenant` is None for the provider's fleet role.

    It holds no credentials itself: each call asks the vault, so that a long tool call outlives a refresh, and none
    outlives the caller's token. Every method raises AwsError for what AWS refuses, and the ToolFailure subclasses
    NotAuthenticated, NotPermitted, Unavailable and Internal where credentials cannot be had.
    """

    def __init__(self, vending: Vending, clients: AwsClients, grant: Grant) -> None:
        self._vending = vending
        self._clients = clients
        self._grant = grant

    @property
    def tenant(self) -> str | None:
        """Whose data the session opens; None for the fleet."""
        return self._grant.tenant

    async def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """The response of one operation, as `call("dynamodb", "get_item", TableName=…, Key=…)`.

        It runs on a worker thread, can be cancelled at once, and ends within the clients' deadline, retries and the
        vending of credentials included. A streamed body (`Body` of `get_object` or `invoke_model`) comes as bytes, up
        to 64 MiB.
        """
        try:
            with anyio.fail_after(self._clients.limits.deadline_seconds):
                return await self._renewed_once(service, operation, parameters)
        except TimeoutError:
            raise AwsError("Timeout", operation, Fault.UNREACHABLE) from None

    async def pages(
        self, service: str, operation: str, /, *, limit_pages: int, **parameters: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """The pages of an operation, each a call of its own; after `limit_pages`, the last still says where it goes on.

        Raises:
            ValueError: The operation has no pages.
        """
        pagination = await self._clients.pagination(service, operation)
        outputs = [jmespath.compile(expression) for expression in pagination.outputs]
        more = jmespath.compile(pagination.more) if pagination.more else None
        position: dict[str, Any] = {}
        for _ in range(limit_pages):
            page = await self.call(service, operation, **parameters, **position)
            yield page
            if more is not None and not more.search(page):
                return
            following = _position(pagination.inputs, [output.search(page) for output in outputs])
            if not following or following == position:
                return
            position = following

    async def credentials(self) -> FrozenCredentials:
        """The credentials themselves, for signing database tokens."""
        return (await self._vending.vend(self._grant)).credentials

    async def _renewed_once(self, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        vended = await self._vending.vend(self._grant)
        try:
            return await self._clients.invoke(service, operation, parameters, vended.credentials)
        except AwsError as error:
            if error.fault is not Fault.EXPIRED:
                raise
        self._vending.discard(self._grant, vended)
        return await self._clients.invoke(service, operation, parameters, await self.credentials())


def _position(names: Iterable[str], values: Iterable[Any]) -> dict[str, Any]:
    return {name: value for name, value in zip(names, values, strict=True) if value}
