"""Every request that leaves the process is signed with the key of its own tenant, and with no other."""

import asyncio
import random

import anyio
import pytest
from fixtures.grants import OpenVault, grant
from fixtures.sts_server import Received, Reply, StsServer
from tenantscope_core.credentials.aws import AwsClients, FrozenCredentials, NoCallCredentials
from tenantscope_core.credentials.clients import ServiceClients

TENANTS = [f"tenant-{number}" for number in range(200)]


class InRandomOrder:
    """Lets answers overtake one another, by a seeded number of turns of the event loop."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    async def __call__(self, _: Received) -> Reply | None:
        for _turn in range(self._random.randrange(100)):
            await asyncio.sleep(0)
        return None


def tenant_that_signed(server: StsServer, request: Received) -> str:
    assert request.access_key is not None
    return server.issued[request.access_key].tags["TenantId"]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_two_hundred_concurrent_tenants_never_sign_with_each_others_key(
    open_vault: OpenVault, server: StsServer, seed: int
):
    """Two calls of each tenant, cold, with STS and S3 answering in random order; judged by what arrived."""
    server.on_sts, server.on_s3 = InRandomOrder(seed), InRandomOrder(seed + 100)

    async def read(tenant: str, name: str) -> None:
        session = await vault.session_for(grant(tenant))
        answer = await session.call("s3", "get_object", Bucket="datasets", Key=f"usage/tenant_id={tenant}/{name}")
        assert answer["Body"] == f"/datasets/usage/tenant_id%3D{tenant}/{name}".encode()

    async with open_vault() as vault, anyio.create_task_group() as tasks:
        order = [(tenant, name) for tenant in TENANTS for name in ("a", "b")]
        random.Random(seed).shuffle(order)
        for tenant, name in order:
            tasks.start_soon(read, tenant, name)
    assert len(server.sts) == 200
    assert len(server.s3) == 400
    for request in server.s3:
        asked_for = request.path.split("tenant_id%3D")[1].split("/")[0]
        assert tenant_that_signed(server, request) == asked_for
        assert request.headers["x-amz-security-token"].endswith(request.access_key or "-")


async def test_the_process_identity_signs_assume_role_and_nothing_else(open_vault: OpenVault, server: StsServer):
    async with open_vault() as vault:
        session = await vault.session_for(grant())
        await session.call("s3", "get_object", Bucket="datasets", Key="k")
    assert {request.access_key for request in server.sts} == {"AKIAPROCESSIDENTITY0"}
    assert "AKIAPROCESSIDENTITY0" not in {request.access_key for request in server.s3}


async def test_without_credentials_of_a_call_nothing_is_signed_and_nothing_leaves(
    clients: AwsClients, server: StsServer
):
    """The same clients, called around the session: the environment holds an identity, and it is not used."""
    inner: ServiceClients = clients._clients  # pyright: ignore[reportPrivateUsage]  # around the front door on purpose
    with pytest.raises(NoCallCredentials):
        await inner.invoke("s3", "get_object", {"Bucket": "datasets", "Key": "k"})
    assert server.s3 == []


async def test_a_thread_that_served_one_tenant_holds_nothing_for_the_next(clients: AwsClients, server: StsServer):
    inner: ServiceClients = clients._clients  # pyright: ignore[reportPrivateUsage]
    credentials = FrozenCredentials("ASIAFIRST", "secret", "token")
    await clients.invoke("s3", "get_object", {"Bucket": "datasets", "Key": "k"}, credentials)
    for _ in range(5):
        with pytest.raises(NoCallCredentials):
            await inner.invoke("s3", "get_object", {"Bucket": "datasets", "Key": "k"})
    assert [request.access_key for request in server.s3] == ["ASIAFIRST"]


async def test_a_bearer_token_in_the_environment_does_not_sign_bedrock_calls(
    monkeypatch: pytest.MonkeyPatch, open_vault: OpenVault, server: StsServer
):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "of-the-whole-company")
    async with open_vault() as vault:
        session = await vault.session_for(grant())
        answer = await session.call("bedrock-runtime", "invoke_model", modelId="m", body=b"{}")
    assert answer["body"] == b"/model/m/invoke"
    assert tenant_that_signed(server, server.s3[0]) == "acme"
    assert "of-the-whole-company" not in str(server.s3[0].headers)


async def test_express_buckets_get_no_session_that_the_client_would_share(open_vault: OpenVault, server: StsServer):
    """Botocore keeps S3 Express sessions per bucket in the client, where a second tenant would ride on the first's."""
    async with open_vault() as vault:
        for tenant in ("acme", "globex"):
            session = await vault.session_for(grant(tenant))
            await session.call("s3", "get_object", Bucket="data--euc1-az1--x-s3", Key="k")
    assert [tenant_that_signed(server, request) for request in server.s3] == ["acme", "globex"]
    assert not any("session" in request.path for request in server.s3)


def test_credentials_do_not_print():
    shown = repr(FrozenCredentials("ASIA1", "the-secret", "the-token")) + repr(grant(token="the-jwt"))
    assert not any(word in shown for word in ("the-secret", "the-token", "the-jwt"))
