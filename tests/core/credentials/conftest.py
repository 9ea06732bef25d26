"""A vault over real clients, brokers and HTTP; only what stands behind STS's and S3's address is ours."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fixtures.clock import Clock
from fixtures.grants import OpenVault
from fixtures.sandbox import bare_sandbox as bare_sandbox
from fixtures.sts_server import StsServer, sts_server
from tenantscope_core.credentials.aws import AwsClients
from tenantscope_core.credentials.broker import AssumeRoleBroker, Broker
from tenantscope_core.credentials.sts import Sts
from tenantscope_core.credentials.vault import Vault, VaultSettings
from tenantscope_core.credentials.workers import CallLimits

LIMITS = CallLimits(backoff_seconds=0.001, longest_backoff_seconds=0.002)


@pytest.fixture(autouse=True)
def process_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process has an identity of its own, which must sign nothing but AssumeRole."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAPROCESSIDENTITY0",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(clock: Clock) -> AsyncIterator[StsServer]:
    async with sts_server(clock) as stand_in:
        yield stand_in


@pytest.fixture
def sts(server: StsServer) -> Iterator[Sts]:
    sts = Sts(endpoint_url=server.url, limits=CallLimits(deadline_seconds=8, attempts=1, concurrent=64))
    yield sts
    sts.close()


@pytest.fixture
def clients(server: StsServer) -> Iterator[AwsClients]:
    clients = AwsClients(endpoint_url=server.url, limits=LIMITS)
    yield clients
    clients.close()


@pytest.fixture
def open_vault(sts: Sts, clients: AwsClients, clock: Clock) -> OpenVault:
    """Opens a vault; keyword arguments are VaultSettings, and `broker`."""

    @asynccontextmanager
    async def opened(broker: Broker | None = None, **settings: Any) -> AsyncGenerator[Vault]:
        used = broker or AssumeRoleBroker(sts, policy=lambda grant: None)
        async with Vault(used, clients, clock=clock, random=lambda: 0.5, settings=VaultSettings(**settings)) as vault:
            yield vault

    return opened
