"""Amazon Bedrock's embedding models in their recorded shapes: requests checked field by field, answers as documented.

Shapes: Bedrock user guide, model-parameters-titan-embed-text, -embed-v3 and -embed-v4; Nova user guide,
embeddings-schema; errors as botocore's model of bedrock-runtime has them.
"""

import hashlib
import json
from typing import Any
from urllib.parse import unquote

from fixtures.sts_server import SECRET_TEXT, Received, Reply

DOCUMENT_KINDS = {"search_document", "GENERIC_INDEX"}
QUERY_KINDS = {"search_query", "TEXT_RETRIEVAL"}


def error(code: str, status: int) -> Reply:
    """A refusal as the service words it."""
    headers = {"x-amzn-ErrorType": f"{code}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
    return Reply(status, json.dumps({"message": SECRET_TEXT}).encode(), {"Content-Type": "application/json", **headers})


def vector(text: str, dimensions: int, kind: str = "") -> list[float]:
    """What these models answer for a text: the same each time, another for another text; not of length 1."""
    seed = hashlib.sha256(f"{kind}\0{text}".encode()).digest()
    return [(seed[number % 32] - 127.5) * (1 + number % 7) / 64 for number in range(dimensions)]


class Bedrock:
    """Answers `POST /model/{id}/invoke`; `bodies` are the requests in order, `replies` are given first."""

    def __init__(self, *replies: Reply) -> None:
        self.models: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.replies = list(replies)

    async def __call__(self, request: Received) -> Reply:
        _, prefix, model, action = request.path.split("/")
        assert (request.method, prefix, action) == ("POST", "model", "invoke")
        assert request.headers["content-type"] == request.headers["accept"] == "application/json"
        body = json.loads(request.body)
        self.models.append(unquote(model))
        self.bodies.append(body)
        if self.replies:
            return self.replies.pop(0)
        return Reply(200, json.dumps(answer(unquote(model), body)).encode(), {"Content-Type": "application/json"})


def answer(model: str, body: dict[str, Any]) -> dict[str, Any]:
    """The model's answer to a request whose every field it knows."""
    if "titan-embed-text-v2" in model:
        assert set(body) == {"inputText", "dimensions", "normalize"}
        assert body["normalize"] is True
        found = vector(body["inputText"], body["dimensions"])
        return {"embedding": found, "embeddingsByType": {"float": found}, "inputTextTokenCount": 4}
    if "cohere.embed-v4" in model:
        assert set(body) == {"texts", "input_type", "truncate", "embedding_types", "output_dimension"}
        assert body["truncate"] == "RIGHT"
        return _cohere(body, body["output_dimension"])
    if "cohere.embed-" in model:
        assert set(body) == {"texts", "input_type", "truncate", "embedding_types"}
        assert body["truncate"] == "END"
        assert all(len(text) <= 2_048 for text in body["texts"])
        return _cohere(body, 1024)
    assert set(body) == {"schemaVersion", "taskType", "singleEmbeddingParams"}
    assert (body["schemaVersion"], body["taskType"]) == ("nova-multimodal-embed-v1", "SINGLE_EMBEDDING")
    parameters = body["singleEmbeddingParams"]
    assert set(parameters) == {"embeddingPurpose", "embeddingDimension", "text"}
    assert parameters["text"].keys() == {"truncationMode", "value"}
    assert parameters["text"]["truncationMode"] == "END"
    kind = parameters["embeddingPurpose"]
    assert kind in DOCUMENT_KINDS | QUERY_KINDS
    found = vector(parameters["text"]["value"], parameters["embeddingDimension"], kind)
    return {"embeddings": [{"embeddingType": "TEXT", "embedding": found}]}


def _cohere(body: dict[str, Any], dimensions: int) -> dict[str, Any]:
    assert 1 <= len(body["texts"]) <= 96
    assert body["embedding_types"] == ["float"]
    kind = body["input_type"]
    assert kind in DOCUMENT_KINDS | QUERY_KINDS
    return {
        "id": "9f1a1c2e-0d6a-4a4f-8c0e-7c2b1a9d3e5f",
        "response_type": "embeddings_by_type",
        "embeddings": {"float": [vector(text, dimensions, kind) for text in body["texts"]]},
        "texts": [text.lower() for text in body["texts"]],
    }
