"""AWS clients whose credentials are those of the call: unset, nothing is signed and nothing leaves the process."""

import random as random_module
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.credentials import ReadOnlyCredentials
from botocore.session import Session

from tenantscope_core.credentials.clients import Pagination, ServiceClients, new_session
from tenantscope_core.credentials.workers import CallLimits


@dataclass(frozen=True, slots=True)
class FrozenCredentials:
    """Temporary AWS credentials."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False)


class NoCallCredentials(RuntimeError):
    """Something tried to sign a request outside of a call that has credentials."""


_of_this_call: ContextVar[FrozenCredentials | None] = ContextVar("call_credentials", default=None)


class _CallCredentials:
    """Stands where botocore keeps a client's credentials, and answers with those of the call on this thread."""

    method = "tenantscope-call"
    account_id = None

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        credentials = _of_this_call.get()
        if credentials is None:
            raise NoCallCredentials("a request outside of a tenant's call cannot be signed")
        return ReadOnlyCredentials(credentials.access_key, credentials.secret_key, credentials.token)

    def get_deferred_property(self, property_name: str) -> Callable[[], None]:
        return lambda: None  # asked for the account id alone, which no endpoint is chosen by


class _CallCredentialsProvider:
    """In place of botocore's chain, so that environment, profile and instance role are never even looked at."""

    def load_credentials(self) -> _CallCredentials:
        return _CallCredentials()


class _NoTokens:
    """In place of botocore's bearer tokens, which one process would share between all tenants."""

    def load_token(self, **_: Any) -> None:
        return None


class AwsClients:
    """The AWS services, called with the credentials given to each call; one per process.

    `endpoint_url` sends every service to one place; without it botocore's own rules and `AWS_ENDPOINT_URL…` hold.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        limits: CallLimits | None = None,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self._clients = ServiceClients(
            _open_session, region=region, endpoint_url=endpoint_url, limits=limits, random=random
        )

    @property
    def limits(self) -> CallLimits:
        """The bounds of each call."""
        return self._clients.limits

    async def invoke(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        credentials: FrozenCredentials,
    ) -> dict[str, Any]:
        """The response of one operation, signed with `credentials`.

        Raises:
            AwsError: The operation failed, or did not end in time.
        """
        around = partial(_signing_with, credentials)
        return await self._clients.invoke(service, operation, parameters, around=around)

    async def pagination(self, service: str, operation: str) -> Pagination:
        """How an operation pages."""
        return await self._clients.pagination(service, operation)

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()


def _open_session() -> Session:
    session = new_session()
    session.register_component("credential_provider", _CallCredentialsProvider())
    session.register_component("token_provider", _NoTokens())
    return session


def _signing_with(credentials: FrozenCredentials, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    mark = _of_this_call.set(credentials)
    try:
        return call()
    finally:
        _of_this_call.reset(mark)
