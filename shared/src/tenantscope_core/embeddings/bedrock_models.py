"""The embedding models of Amazon Bedrock: what each is sent, and how its answer reads.

Shapes as the Bedrock and Nova user guides give them: model-parameters-titan-embed-text, model-parameters-embed-v3,
model-parameters-embed-v4 and embeddings-schema.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from tenantscope_core.embeddings.embedder import Purpose

_PROFILE = re.compile(r"[a-z][a-z-]{1,15}\.")
"""Before a model's id, the inference profile that routes to it: `us.`, `eu.`, `apac.`, `global.`, …"""


@dataclass(frozen=True, slots=True)
class BedrockModel:
    """One model.

    `dimensions` are the lengths that are indexed here, the default first. Of a text, `reads_chars` characters are sent
    and the model cuts what is beyond its tokens; where `refuses_longer` it does not cut, so we send no part either.
    """

    name: str
    dimensions: tuple[int, ...]
    asymmetric: bool
    texts_per_call: int
    reads_chars: int
    request: Callable[[Sequence[str], Purpose, int], dict[str, Any]]
    vectors: Callable[[dict[str, Any]], Any]
    refuses_longer: bool = False

    def body(self, texts: Sequence[str], purpose: Purpose, dimensions: int) -> str:
        """The body of one call."""
        return json.dumps(self.request([text[: self.reads_chars] for text in texts], purpose, dimensions))


def _titan_request(texts: Sequence[str], _: Purpose, dimensions: int) -> dict[str, Any]:
    return {"inputText": texts[0], "dimensions": dimensions, "normalize": True}


def _cohere_v3_request(texts: Sequence[str], purpose: Purpose, _: int) -> dict[str, Any]:
    return {"texts": texts, "input_type": f"search_{purpose}", "truncate": "END", "embedding_types": ["float"]}


def _cohere_v4_request(texts: Sequence[str], purpose: Purpose, dimensions: int) -> dict[str, Any]:
    return {
        "texts": texts,
        "input_type": f"search_{purpose}",
        "truncate": "RIGHT",
        "embedding_types": ["float"],
        "output_dimension": dimensions,
    }


def _nova_request(texts: Sequence[str], purpose: Purpose, dimensions: int) -> dict[str, Any]:
    return {
        "schemaVersion": "nova-multimodal-embed-v1",
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": {
            "embeddingPurpose": "TEXT_RETRIEVAL" if purpose == "query" else "GENERIC_INDEX",
            "embeddingDimension": dimensions,
            "text": {"truncationMode": "END", "value": texts[0]},
        },
    }


def _cohere_vectors(answer: dict[str, Any]) -> Any:
    """By type where types were asked for, as here; a plain list where the model knows no other."""
    found: Any = answer["embeddings"]
    return cast("dict[str, Any]", found)["float"] if isinstance(found, dict) else found


_MODELS: Final = (
    BedrockModel(
        "amazon.titan-embed-text-v2:0",
        dimensions=(1024, 512, 256),
        asymmetric=False,
        texts_per_call=1,
        reads_chars=50_000,
        refuses_longer=True,
        request=_titan_request,
        vectors=lambda answer: [answer["embedding"]],
    ),
    *(
        BedrockModel(
            name,
            dimensions=(1024,),
            asymmetric=True,
            texts_per_call=96,
            reads_chars=2_048,
            request=_cohere_v3_request,
            vectors=_cohere_vectors,
        )
        for name in ("cohere.embed-english-v3", "cohere.embed-multilingual-v3")
    ),
    BedrockModel(
        "cohere.embed-v4:0",
        dimensions=(1024, 512, 256),
        asymmetric=True,
        texts_per_call=96,
        reads_chars=200_000,
        request=_cohere_v4_request,
        vectors=_cohere_vectors,
    ),
    BedrockModel(
        "amazon.nova-2-multimodal-embeddings-v1:0",
        dimensions=(1024, 384, 256),
        asymmetric=True,
        texts_per_call=1,
        reads_chars=50_000,
        request=_nova_request,
        vectors=lambda answer: [one["embedding"] for one in answer["embeddings"]],
    ),
)


def find_model(model_id: str) -> BedrockModel:
    """The model that an id names, with an inference profile's prefix or without.

    Raises:
        ValueError: It names none that is known here.
    """
    for model in _MODELS:
        prefix = model_id.removesuffix(model.name)
        if prefix != model_id and (not prefix or _PROFILE.fullmatch(prefix)):
            return model
    raise ValueError(f"is no embedding model that is known here; known are {', '.join(m.name for m in _MODELS)}")


def require_dimensions(model: BedrockModel, dimensions: int | None) -> int:
    """The length of the vectors, the model's default where none is asked for.

    Raises:
        ValueError: The model does not offer it.
    """
    if dimensions is not None and dimensions not in model.dimensions:
        raise ValueError(f"has to be one of {', '.join(map(str, model.dimensions))} for {model.name}")
    return model.dimensions[0] if dimensions is None else dimensions
