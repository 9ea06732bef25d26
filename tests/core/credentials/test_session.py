"""A session's calls: bounded, renewed once when AWS says expired, failing with codes and never with AWS's text."""

import asyncio

import anyio
import pytest
from fixtures.clock import Clock
from fixtures.grants import OpenVault, grant
from fixtures.sts_server import SECRET_TEXT, Received, Reply, StsServer, s3_error
from tenantscope_core.credentials.aws import AwsClients
from tenantscope_core.credentials.broker import AssumeRoleBroker
from tenantscope_core.credentials.errors import AwsError, Fault
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.credentials.sts import Sts
from tenantscope_core.credentials.vault import Vault
from tenantscope_core.credentials.workers import CallLimits
from tenantscope_core.results.errors import Internal, NotPermitted, ToolFailure, Unavailable


class Replies:
    """Gives these answers in order, then the usual one."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)

    async def __call__(self, _: Received) -> Reply | None:
        return self._replies.pop(0) if self._replies else None


async def get(session: TenantSession) -> bytes:
    return (await session.call("s3", "get_object", Bucket="datasets", Key="k"))["Body"]


async def test_expired_credentials_are_renewed_and_the_call_tried_once_more(open_vault: OpenVault, server: StsServer):
    server.on_s3 = Replies(s3_error("ExpiredToken", 400))
    async with open_vault() as vault:
        assert await get(await vault.session_for(grant())) == b"/datasets/k"
    first, second = server.s3
    assert first.access_key != second.access_key
    assert len(server.sts) == 2


async def test_credentials_that_stay_expired_fail_after_the_second_try(open_vault: OpenVault, server: StsServer):
    server.on_s3 = Replies(*[s3_error("ExpiredToken", 400)] * 5)
    async with open_vault() as vault:
        with pytest.raises(AwsError) as caught:
            await get(await vault.session_for(grant()))
    assert caught.value.code == "ExpiredToken"
    assert isinstance(caught.value.as_failure(), Unavailable)
    assert len(server.s3) == 2


async def test_many_calls_that_find_their_session_expired_renew_it_once(open_vault: OpenVault, server: StsServer):
    async def refuse_the_first_key(request: Received) -> Reply | None:
        return s3_error("ExpiredToken", 400) if request.access_key == "ASIA" + "0" * 16 else None

    server.on_s3 = refuse_the_first_key
    async with open_vault() as vault:
        session = await vault.session_for(grant())
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(get, session)
    assert len(server.sts) == 2


@pytest.mark.parametrize(
    ("reply", "fault", "kind"),
    [
        (s3_error("SlowDown", 503), Fault.THROTTLED, Unavailable),
        (s3_error("InternalError", 500), Fault.UNREACHABLE, Unavailable),
        (Reply(502, b"<html>"), Fault.UNREACHABLE, Unavailable),
        (Reply(dropped=True), Fault.UNREACHABLE, Unavailable),
        (s3_error("AccessDenied", 403), Fault.DENIED, NotPermitted),
        (s3_error("NoSuchKey", 404), Fault.OTHER, Internal),
        (s3_error("PreconditionFailed", 412), Fault.OTHER, Internal),
    ],
)
async def test_failures_carry_a_code_and_a_sentence_of_ours(
    open_vault: OpenVault, server: StsServer, reply: Reply, fault: Fault, kind: type[ToolFailure]
):
    server.on_s3 = Replies(*[reply] * 5)
    async with open_vault() as vault:
        with pytest.raises(AwsError) as caught:
            await get(await vault.session_for(grant()))
    error, failure = caught.value, caught.value.as_failure()
    assert error.fault is fault
    assert type(failure) is kind
    assert error.retryable == (kind is Unavailable) == (failure.remedy.retry_after_seconds is not None)
    assert len(server.s3) == (3 if error.retryable else 1), "only what may pass is tried again, and three times at most"
    for text in (str(error), failure.sentence):
        assert SECRET_TEXT not in text
        assert "arn:" not in text


async def test_the_code_of_a_refusal_is_there_to_be_caught(open_vault: OpenVault, server: StsServer):
    body = b'{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no"}'
    server.on_s3 = Replies(Reply(400, body, {"Content-Type": "application/x-amz-json-1.0"}))
    async with open_vault() as vault:
        session = await vault.session_for(grant())
        with pytest.raises(AwsError) as caught:
            await session.call("dynamodb", "put_item", TableName="tenants", Item={"pk": {"S": "acme"}})
    assert caught.value.code == "ConditionalCheckFailedException"
    assert caught.value.operation == "put_item"


async def test_a_short_trouble_is_not_noticed(open_vault: OpenVault, server: StsServer):
    server.on_s3 = Replies(s3_error("SlowDown", 503), Reply(dropped=True))
    async with open_vault() as vault:
        assert await get(await vault.session_for(grant())) == b"/datasets/k"


async def test_nothing_listening_is_unavailable(sts: Sts, clock: Clock, free_tcp_port: int):
    clients = AwsClients(endpoint_url=f"http://127.0.0.1:{free_tcp_port}", limits=CallLimits(backoff_seconds=0.001))
    async with Vault(AssumeRoleBroker(sts, policy=lambda _: None), clients, clock=clock) as vault:
        with pytest.raises(AwsError) as caught:
            await get(await vault.session_for(grant()))
    assert caught.value.code == "Unreachable"


async def test_a_call_ends_at_its_deadline_whatever_the_retries(sts: Sts, server: StsServer, clock: Clock):
    released = asyncio.Event()

    async def hang(_: Received) -> None:
        await released.wait()

    server.on_s3 = hang
    limits = CallLimits(deadline_seconds=0.05, read_seconds=5)
    clients = AwsClients(endpoint_url=server.url, limits=limits)
    async with Vault(AssumeRoleBroker(sts, policy=lambda _: None), clients, clock=clock) as vault:
        session = await vault.session_for(grant())
        with pytest.raises(AwsError) as caught:
            await get(session)
        assert caught.value.code == "Timeout"
        assert caught.value.retryable
        released.set()
    clients.close()


async def test_a_cancelled_call_returns_at_once(open_vault: OpenVault, server: StsServer):
    released = asyncio.Event()

    async def hang(_: Received) -> None:
        await released.wait()

    server.on_s3 = hang
    async with open_vault() as vault:
        call = asyncio.create_task(get(await vault.session_for(grant())))
        await server.until(lambda: server.waiting == 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert server.waiting == 1, "the caller left before the answer came"
        released.set()


async def test_an_operation_that_does_not_exist_is_a_fault_of_ours(open_vault: OpenVault):
    async with open_vault() as vault:
        session = await vault.session_for(grant())
        with pytest.raises(ValueError, match="no operation close"):
            await session.call("s3", "close")
        with pytest.raises(AwsError) as caught:
            await session.call("s3", "get_object", Bucket="datasets")
    assert caught.value.code == "InvalidParameters"


def listing(token: str | None) -> Reply:
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    truncated = "true" if token else "false"
    body = f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{more}</ListBucketResult>"
    return Reply(200, body.encode(), {"Content-Type": "application/xml"})


async def test_pages_follow_one_another_to_the_last(open_vault: OpenVault, server: StsServer):
    server.on_s3 = Replies(listing("two"), listing("three"), listing(None))
    async with open_vault() as vault:
        session = await vault.session_for(grant())
        pages = [page async for page in session.pages("s3", "list_objects_v2", limit_pages=10, Bucket="datasets")]
    assert len(pages) == 3
    assert ["continuation-token=two" in request.path for request in server.s3] == [False, True, False]
    assert "continuation-token=three" in server.s3[2].path


async def test_pages_stop_at_the_limit_and_the_last_says_where_it_goes_on(open_vault: OpenVault, server: StsServer):
    server.on_s3 = Replies(*[listing(f"page-{number}") for number in range(9)])
    async with open_vault() as vault:
        session = await vault.session_for(grant())
        pages = [page async for page in session.pages("s3", "list_objects_v2", limit_pages=2, Bucket="datasets")]
    assert [page["NextContinuationToken"] for page in pages] == ["page-0", "page-1"]
    assert len(server.s3) == 2


async def test_an_operation_without_pages_says_so(open_vault: OpenVault):
    async with open_vault() as vault:
        session = await vault.session_for(grant())
        with pytest.raises(ValueError, match="no pages"):
            _ = [page async for page in session.pages("s3", "get_object", limit_pages=2, Bucket="datasets", Key="k")]
