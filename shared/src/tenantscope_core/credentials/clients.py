"""One botocore client per service over one session: a client costs milliseconds and memory, a call neither."""

import functools
import random as random_module
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

import anyio.from_thread
from botocore import UNSIGNED, xform_name
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader, create_loader
from botocore.response import StreamingBody
from botocore.session import Session

from tenantscope_core.credentials.errors import AwsError, aws_error
from tenantscope_core.credentials.workers import CallLimits, Workers

MAX_BODY_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_creating = threading.Lock()  # a botocore session is not safe to create clients from on two threads

T = TypeVar("T")
Around = Callable[[Callable[[], dict[str, Any]]], dict[str, Any]]
"""Called on the thread with the call to make, which it makes."""


def new_session() -> Session:
    """A botocore session that shares the process's one loader, whose service models are what costs time and memory."""
    session = Session()
    session.register_component("data_loader", _shared_loader(session.get_config_variable("data_path")))
    return session


@functools.cache
def _shared_loader(data_path: str | None) -> Loader:
    return create_loader(data_path)


@dataclass(frozen=True, slots=True)
class Pagination:
    """How an operation pages: the parameters to send next, and the expressions that find them in a page."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    more: str | None


class ServiceClients:
    """Calls operations of any service; who signs is decided by the session, which is opened for the first client.

    Retries are ours and not botocore's: botocore's would sleep on the thread, and share one quota of retries between
    all the tenants of a client.
    """

    def __init__(
        self,
        open_session: Callable[[], Session],
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        limits: CallLimits | None = None,
        unsigned: bool = False,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        self.limits = limits or CallLimits()
        self._session = functools.cache(open_session)
        self._region = region
        self._endpoint_url = endpoint_url
        self._unsigned = unsigned
        self._random = random
        self._clients: dict[str, Any] = {}
        self._workers: dict[str, Workers] = {}

    async def invoke(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        around: Around | None = None,
    ) -> dict[str, Any]:
        """The response of one operation (`get_object`), without `ResponseMetadata`.

        A streamed body is read on the thread and comes as bytes.

        Raises:
            AwsError: The operation failed, or did not end in time.
        """
        call = partial(self._call, service, operation, parameters)
        function = partial(around, call) if around else call
        return await self._workers_of(service).run(operation, function)

    async def prepare(self, service: str) -> None:
        """Build a service's client on a thread, ahead of its first call."""
        await self._workers_of(service).run("prepare", partial(self._client, service))

    async def pagination(self, service: str, operation: str) -> Pagination:
        """How an operation pages.

        Raises:
            ValueError: It does not.
        """
        return await self._workers_of(service).run(operation, partial(self._pagination, service, operation))

    def close(self) -> None:
        """Close the connections; calls still running fail. A client that is being built is not waited for."""
        for client in list(self._clients.values()):
            client.close()
        self._clients.clear()

    def _workers_of(self, service: str) -> Workers:
        workers = self._workers.get(service)
        if workers is None:
            workers = self._workers[service] = Workers(self.limits, random=self._random)
        return workers

    def _call(self, service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        try:
            client = self._client(service)
            if operation not in client.meta.method_to_api_mapping:
                raise ValueError(f"{service} has no operation {operation}")
            response: dict[str, Any] = getattr(client, operation)(**parameters)
            response.pop("ResponseMetadata", None)
            for name, value in response.items():
                if isinstance(value, StreamingBody):
                    response[name] = _whole(value, operation)
            return response
        except (BotoCoreError, ClientError) as error:
            raise aws_error(error, operation) from error

    def _client(self, service: str) -> Any:
        client = self._clients.get(service)
        if client is None:
            with _creating:
                client = self._clients.get(service)
                if client is None:
                    client = self._clients[service] = self._create(service)
        return client

    def _create(self, service: str) -> Any:
        options: dict[str, Any] = {
            "connect_timeout": self.limits.connect_seconds,
            "read_timeout": self.limits.read_seconds,
            "retries": {"total_max_attempts": 1, "mode": "standard"},
            "max_pool_connections": self.limits.concurrent,
            # S3 Express sessions are cached per bucket in the client, without regard to who calls.
            "s3": {"disable_s3_express_session_auth": True},
            "account_id_endpoint_mode": "disabled",
        }
        if service.startswith("bedrock"):
            options["auth_scheme_preference"] = "sigv4"  # else a bearer token in the environment signs for every tenant
        if self._unsigned:
            options["signature_version"] = UNSIGNED
        create = cast("Callable[..., Any]", self._session().create_client)
        return create(service, region_name=self._region, endpoint_url=self._endpoint_url, config=Config(**options))

    def _pagination(self, service: str, operation: str) -> Pagination:
        api_name = self._client(service).meta.method_to_api_mapping[operation]
        try:
            model = self._session().get_paginator_model(service)
            found = cast("dict[str, Any]", model.get_paginator(api_name))
        except (BotoCoreError, ValueError):
            raise ValueError(f"{service} {xform_name(api_name)} has no pages") from None
        return Pagination(_names(found["input_token"]), _names(found["output_token"]), found.get("more_results"))


def _whole(body: StreamingBody, operation: str) -> bytes:
    content = bytearray()
    try:
        for chunk in body.iter_chunks(_CHUNK_BYTES):
            anyio.from_thread.check_cancelled()
            content += chunk
            if len(content) > MAX_BODY_BYTES:
                raise AwsError("BodyTooLarge", operation)
        return bytes(content)
    finally:
        body.close()


def _names(tokens: str | list[str]) -> tuple[str, ...]:
    return (tokens,) if isinstance(tokens, str) else tuple(tokens)
