"""Bedrock: requests in the models' own shapes, signed by the tenant's session alone; failures that say what to do."""

import json
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from core.embeddings.bedrock_server import Bedrock, error, vector
from fixtures.grants import OpenVault, grant
from fixtures.sts_server import SECRET_TEXT, Reply, StsServer
from tenantscope_core.credentials.aws import AwsClients
from tenantscope_core.credentials.broker import AssumeRoleBroker
from tenantscope_core.credentials.session import TenantSession
from tenantscope_core.credentials.sts import Sts
from tenantscope_core.credentials.vault import Vault
from tenantscope_core.embeddings.bedrock import BedrockEmbedder
from tenantscope_core.embeddings.errors import EmbedderFault
from tenantscope_core.results.errors import InvalidArgument, NotPermitted, ToolFailure, Unavailable
from tenantscope_sandbox import Sandbox

TITAN = "amazon.titan-embed-text-v2:0"
NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"
COHERE_3, COHERE_4 = "cohere.embed-multilingual-v3", "cohere.embed-v4:0"
ALL = [TITAN, NOVA, COHERE_3, COHERE_4]

Session = Callable[..., AbstractAsyncContextManager[TenantSession]]


@pytest.fixture
def bedrock(server: StsServer) -> Bedrock:
    """The service, behind the address that everything but STS has."""
    bedrock = server.on_s3 = Bedrock()
    return bedrock


@pytest.fixture
def session(open_vault: OpenVault) -> Session:
    """Opens a tenant's session."""

    @asynccontextmanager
    async def opened(tenant: str = "acme") -> AsyncGenerator[TenantSession]:
        async with open_vault() as vault:
            yield await vault.session_for(grant(tenant))

    return opened


def unit(values: list[float]) -> list[float]:
    length = math.hypot(*values)
    return [value / length for value in values]


@pytest.mark.parametrize("model", [*ALL, f"us.{COHERE_4}", f"global.{COHERE_4}", f"eu.{NOVA}", f"us-gov.{TITAN}"])
async def test_every_model_is_asked_in_its_own_shape_and_answers_with_vectors_of_length_1(
    model: str, session: Session, bedrock: Bedrock
):
    embedder = BedrockEmbedder(model)
    async with session() as aws:
        one, other = await embedder.embed(aws, ["Refund?", "Überweisung"], purpose="document")
    assert bedrock.models[0] == model
    assert len(one) == len(other) == embedder.dimensions == 1024
    assert math.hypot(*one) == pytest.approx(1)
    assert one != other


@pytest.mark.parametrize(
    ("model", "dimensions"), [(TITAN, 256), (TITAN, 512), (COHERE_4, 512), (NOVA, 384), (NOVA, 256)]
)
async def test_the_length_asked_for_is_the_length_had(model: str, dimensions: int, session: Session, bedrock: Bedrock):
    embedder = BedrockEmbedder(model, dimensions=dimensions)
    async with session() as aws:
        (found,) = await embedder.embed(aws, ["Refund?"], purpose="query")
    assert len(found) == embedder.dimensions == dimensions
    assert embedder.tag.endswith(f".{dimensions}")


async def test_a_query_and_a_document_are_told_apart_where_the_model_does(session: Session, bedrock: Bedrock):
    async with session() as aws:
        for model in ALL:
            embedder = BedrockEmbedder(model)
            vectors = [await embedder.embed(aws, ["Refund?"], purpose=purpose) for purpose in ("query", "document")]
            assert (vectors[0] != vectors[1]) is embedder.asymmetric, model
    assert [body.get("input_type") for body in bedrock.bodies[4:]] == ["search_query", "search_document"] * 2
    assert [body["singleEmbeddingParams"]["embeddingPurpose"] for body in bedrock.bodies[2:4]] == [
        "TEXT_RETRIEVAL",
        "GENERIC_INDEX",
    ]


@pytest.mark.parametrize(("model", "calls"), [(COHERE_3, 3), (COHERE_4, 3), (TITAN, 200), (NOVA, 200)])
async def test_texts_go_as_many_to_a_call_as_the_model_takes_and_come_back_in_order(
    model: str, calls: int, session: Session, bedrock: Bedrock, server: StsServer
):
    texts = [f"text {number}" for number in range(200)]
    async with session() as aws:
        found = await BedrockEmbedder(model).embed(aws, texts, purpose="document")
    assert len(bedrock.bodies) == calls
    kind = {TITAN: "", NOVA: "GENERIC_INDEX"}.get(model, "search_document")
    assert found[137] == pytest.approx(unit(vector("text 137", 1024, kind)))
    assert found[0] == pytest.approx(unit(vector("text 0", 1024, kind)))
    assert server.most_waiting <= 8


async def test_a_request_stays_small_where_texts_are_long(session: Session, bedrock: Bedrock):
    async with session() as aws:
        await BedrockEmbedder(COHERE_4).embed(aws, ["x" * 90_000] * 5, purpose="document")
    assert sorted(len(body["texts"]) for body in bedrock.bodies) == [1, 2, 2]


async def test_no_texts_are_no_call(session: Session, bedrock: Bedrock):
    async with session() as aws:
        assert await BedrockEmbedder(TITAN).embed(aws, [], purpose="query") == []
    assert bedrock.bodies == []


@pytest.mark.requirement("bedrock-by-the-tenant")
async def test_each_call_is_signed_with_the_session_of_its_tenant_and_with_nothing_else(
    session: Session, bedrock: Bedrock, server: StsServer, monkeypatch: pytest.MonkeyPatch
):
    """The process has keys of its own and a Bedrock API key in its environment: neither signs."""
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-of-the-process")
    for tenant in ("acme", "globex"):
        async with session(tenant) as aws:
            await BedrockEmbedder(TITAN).embed(aws, [f"a text of {tenant}"], purpose="query")
    signed_for = [server.issued[str(request.access_key)].tags["TenantId"] for request in server.s3]
    assert signed_for == ["acme", "globex"]
    for request in server.s3:
        assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
        assert "/bedrock/aws4_request" in request.headers["authorization"]
        assert request.headers["x-amz-security-token"]


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (error("ThrottlingException", 429), Unavailable, "limiting"),
        (error("ServiceQuotaExceededException", 400), Unavailable, "try again"),
        (error("ModelNotReadyException", 429), Unavailable, "try again"),
        (error("ModelTimeoutException", 408), Unavailable, "try again"),
        (error("ModelErrorException", 424), Unavailable, "try again"),
        (error("InternalServerException", 500), Unavailable, "try again"),
        (error("ServiceUnavailableException", 503), Unavailable, "try again"),
        (Reply(dropped=True), Unavailable, "try again"),
        (error("AccessDeniedException", 403), NotPermitted, "bedrock:InvokeModel"),
        (error("ResourceNotFoundException", 404), EmbedderFault, "TENANTSCOPE_EMBEDDER"),
        (error("ValidationException", 400), EmbedderFault, "TENANTSCOPE_EMBEDDER"),
    ],
)
async def test_a_refusal_is_one_sentence_of_ours(
    reply: Reply, kind: type[ToolFailure], words: str, session: Session, bedrock: Bedrock
):
    bedrock.replies = [reply] * 5
    async with session() as aws:
        with pytest.raises(ToolFailure, match=words) as caught:
            await BedrockEmbedder(TITAN).embed(aws, ["Refund?"], purpose="query")
    assert type(caught.value) is kind
    assert (caught.value.remedy.retry_after_seconds is not None) is (kind is Unavailable)
    assert SECRET_TEXT not in caught.value.sentence
    assert "arn:" not in caught.value.sentence


async def test_a_short_trouble_is_not_noticed(session: Session, bedrock: Bedrock):
    bedrock.replies = [error("ThrottlingException", 429), error("ServiceUnavailableException", 503)]
    async with session() as aws:
        assert len(await BedrockEmbedder(TITAN).embed(aws, ["Refund?"], purpose="query")) == 1


async def test_one_failing_call_of_many_fails_them_all_with_its_own_failure(session: Session, bedrock: Bedrock):
    bedrock.replies = [error("AccessDeniedException", 403)]
    async with session() as aws:
        with pytest.raises(NotPermitted):
            await BedrockEmbedder(TITAN).embed(aws, [f"text {n}" for n in range(60)], purpose="query")
    assert len(bedrock.bodies) < 60, "the others were not sent for nothing"


def _titan(**changes: Any) -> bytes:
    return json.dumps({"embedding": vector("Refund?", 1024), "inputTextTokenCount": 2, **changes}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"message": "hello"}',
        b"\xff\xfe",
        _titan(embedding=None),
        _titan(embedding=[]),
        _titan(embedding=[0.1] * 1023),
        _titan(embedding=[0.0] * 1024),
        _titan(embedding=["much"] * 1024),
        _titan(embedding=[[0.1] * 1024]),
        _titan(embedding=[math.nan] * 1024),
        _titan(embedding=[1e308] * 1024),
        json.dumps({"results": [{"outputText": "Hello, I am a chat model."}]}).encode(),
    ],
)
async def test_an_answer_that_is_no_vector_is_said_to_be_none(body: bytes, session: Session, bedrock: Bedrock):
    bedrock.replies = [Reply(200, body, {"Content-Type": "application/json"})]
    async with session() as aws:
        with pytest.raises(EmbedderFault, match="something else than the vectors"):
            await BedrockEmbedder(TITAN).embed(aws, ["Refund?"], purpose="query")


async def test_fewer_vectors_than_texts_are_not_taken(session: Session, bedrock: Bedrock):
    body = {"response_type": "embeddings_by_type", "embeddings": {"float": [vector("one", 1024)]}}
    bedrock.replies = [Reply(200, json.dumps(body).encode(), {"Content-Type": "application/json"})]
    async with session() as aws:
        with pytest.raises(EmbedderFault):
            await BedrockEmbedder(COHERE_3).embed(aws, ["one", "two"], purpose="query")


async def test_embeddings_that_are_not_sorted_by_type_are_read_too(session: Session, bedrock: Bedrock):
    body = {"response_type": "embeddings_floats", "embeddings": [vector("one", 1024)], "texts": ["one"]}
    bedrock.replies = [Reply(200, json.dumps(body).encode(), {"Content-Type": "application/json"})]
    async with session() as aws:
        (found,) = await BedrockEmbedder(COHERE_3).embed(aws, ["one"], purpose="query")
    assert found == pytest.approx(unit(vector("one", 1024)))


async def test_what_is_too_long_for_a_model_that_does_not_cut_is_refused(session: Session, bedrock: Bedrock):
    async with session() as aws:
        with pytest.raises(InvalidArgument, match="50,000"):
            await BedrockEmbedder(TITAN).embed(aws, ["x" * 50_001], purpose="query")
        assert bedrock.bodies == []
        bedrock.replies = [error("ValidationException", 400)]
        with pytest.raises(InvalidArgument, match="longer than the embedding model takes"):
            await BedrockEmbedder(TITAN).embed(aws, ["x " * 20_000], purpose="query")


@pytest.mark.parametrize(("model", "chars"), [(COHERE_3, 2_048), (NOVA, 50_000)])
async def test_a_text_is_read_up_to_what_the_model_takes(model: str, chars: int, session: Session, bedrock: Bedrock):
    async with session() as aws:
        embedder = BedrockEmbedder(model)
        within, beyond = await embedder.embed(aws, ["x" * chars, "x" * chars + "elephant"], purpose="document")
    assert within == beyond


@pytest.mark.parametrize("text", ["", " ", "\ud83d"])
async def test_what_is_no_text_is_refused_before_it_leaves(text: str, session: Session, bedrock: Bedrock):
    async with session() as aws:
        with pytest.raises(InvalidArgument):
            await BedrockEmbedder(TITAN).embed(aws, ["fine", text], purpose="query")
    assert bedrock.bodies == []


def test_a_tag_names_the_model_and_the_length_and_not_the_way_to_it():
    tags = {BedrockEmbedder(model, dimensions=256).tag for model in (TITAN, f"us.{TITAN}", COHERE_4, NOVA)}
    tags |= {BedrockEmbedder(model).tag for model in (*ALL, "cohere.embed-english-v3")}
    assert len(tags) == 8
    for tag in tags:
        assert 1 <= len(tag) <= 63
        assert set(tag) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")


@pytest.mark.parametrize(
    "model", ["", "amazon.titan-embed-text-v1", f"us{TITAN}", f"US.{TITAN}", f"a/b.{TITAN}", f"{TITAN}x", "gpt"]
)
def test_a_model_that_is_not_known_is_refused_at_once(model: str):
    with pytest.raises(ValueError, match="no embedding model that is known here"):
        BedrockEmbedder(model)


@pytest.mark.parametrize(("model", "dimensions"), [(TITAN, 384), (COHERE_3, 512), (COHERE_4, 1536), (NOVA, 3072)])
def test_a_length_that_is_not_offered_is_refused_at_once(model: str, dimensions: int):
    with pytest.raises(ValueError, match="has to be one of"):
        BedrockEmbedder(model, dimensions=dimensions)


async def test_a_cancelled_caller_leaves_at_once(session: Session, bedrock: Bedrock, server: StsServer):
    released = anyio.Event()

    async def hang(_: object) -> None:
        await released.wait()

    server.on_s3 = hang
    async with session() as aws:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: BedrockEmbedder(TITAN).embed(aws, ["a", "b", "c"], purpose="query"))
            await server.until(lambda: server.waiting == 3)
            group.cancel_scope.cancel()
        assert server.waiting == 3, "the caller left before the answers came"
        released.set()


@pytest.mark.requirement("bedrock-by-the-tenant")
async def test_only_a_role_that_is_granted_the_models_may_use_them(
    bare_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    """In an emulated account with the deployed roles; its Bedrock makes no vectors, which is then what is said.

    It knows no inference profiles, so grants on those are not shown here.
    """
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", bare_sandbox.execution.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", bare_sandbox.execution.secret_access_key)
    sts = Sts(region=bare_sandbox.region, endpoint_url=bare_sandbox.aws_endpoint)
    clients = AwsClients(region=bare_sandbox.region, endpoint_url=bare_sandbox.aws_endpoint)
    broker = AssumeRoleBroker(sts, policy=lambda _: None, external_id=bare_sandbox.external_id)
    expires = datetime.now(UTC) + timedelta(hours=1)
    async with Vault(broker, clients, clock=lambda: datetime.now(UTC)) as vault:

        async def outcome(server: str, model: str) -> type[BaseException]:
            role = bare_sandbox.role_arn(server)
            aws = await vault.session_for(grant(server=server, role_arn=role, token_expires=expires))
            with pytest.raises(ToolFailure) as caught:
                await BedrockEmbedder(model).embed(aws, ["Refund?"], purpose="query")
            return type(caught.value)

        for model in ALL:
            for granted in ("semantic-cache", "memory"):
                assert await outcome(granted, model) is EmbedderFault, (granted, model)
            assert await outcome("cost-explorer", model) is NotPermitted, model
    sts.close()
    clients.close()
