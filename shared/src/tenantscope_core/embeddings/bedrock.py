"""Embeddings by a model on Amazon Bedrock, called with the session of whoever the text belongs to."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

import anyio
import anyio.to_thread

from tenantscope_core.credentials.errors import AwsError, Fault
from tenantscope_core.embeddings.bedrock_models import find_model, require_dimensions
from tenantscope_core.embeddings.embedder import Purpose
from tenantscope_core.embeddings.errors import EmbedderFault
from tenantscope_core.embeddings.texts import require_texts
from tenantscope_core.results.errors import InvalidArgument, NotPermitted, ToolFailure, Unavailable
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.task_failures import first_of

_CALLS_AT_ONCE = 8
_CHARS_PER_CALL = 200_000
_FEWEST_CHARS_TOO_LONG = 8_192
"""A model that takes 8,192 tokens may find a longer text too long, and no shorter one."""
_REFUSED = frozenset({"ValidationException", "ResourceNotFoundException"})
_PASSING = frozenset({"ModelTimeoutException", "ModelErrorException", "ServiceQuotaExceededException"})
_PRECISION: Final = "fp32"


class BedrockEmbedder:
    """One of the models of `bedrock_models`, by its id or that of an inference profile (`us.…`).

    The session needs `bedrock:InvokeModel` on the model, and on the profile where one is named. Texts go as many to a
    call as the model takes, in at most 8 calls at once. A text is read up to what the model takes (Cohere v3: 2,048
    characters, Nova: 8,192 tokens, Cohere v4: 200,000 characters): what lies beyond has no part in its vector. Titan
    does not cut, so a text of more than 8,192 tokens is refused.
    """

    def __init__(self, model_id: str, *, dimensions: int | None = None) -> None:
        """Name the model; nothing is called yet.

        Raises:
            ValueError: The model is not known, or does not offer these dimensions.
        """
        self._model_id = model_id
        self._model = find_model(model_id)
        self._dimensions = require_dimensions(self._model, dimensions)

    @property
    def tag(self) -> str:
        """Names the model, whose id says its revision, whatever profile routes to it."""
        return f"{self._model.name.replace(':', '-')}.{_PRECISION}.{self._dimensions}"

    @property
    def dimensions(self) -> int:
        """As asked for, or the model's default."""
        return self._dimensions

    @property
    def asymmetric(self) -> bool:
        """As the model is."""
        return self._model.asymmetric

    async def embed(self, aws: AwsCaller, texts: Sequence[str], *, purpose: Purpose) -> list[list[float]]:
        """As every embedder; the calls are signed with `aws` and nothing else.

        Raises:
            InvalidArgument: A text is empty or too long.
            NotPermitted: The session may not use the model.
            Unavailable: Bedrock limits requests, or does not answer in time.
            EmbedderFault: Bedrock does not take the model's name or our request, or its answer cannot be read.
        """
        require_texts(texts, max_chars=self._model.reads_chars if self._model.refuses_longer else None)
        batches = self._batches(texts)
        found: dict[int, list[list[float]]] = {}

        async def work() -> None:
            for number, batch in numbered:
                found[number] = await self._call(aws, batch, purpose)

        numbered = iter(enumerate(batches))
        try:
            async with anyio.create_task_group() as group:
                for _ in range(min(_CALLS_AT_ONCE, len(batches))):
                    group.start_soon(work)
        except ExceptionGroup as failures:
            raise first_of(failures) from None
        return [vector for number in range(len(batches)) for vector in found[number]]

    def _batches(self, texts: Sequence[str]) -> list[list[str]]:
        """Texts in their order, in as few calls as the model allows."""
        batches: list[list[str]] = []
        chars = 0
        for text in texts:
            length = min(len(text), self._model.reads_chars)
            full = not batches or len(batches[-1]) == self._model.texts_per_call or chars + length > _CHARS_PER_CALL
            if full:
                batches.append([])
                chars = 0
            batches[-1].append(text)
            chars += length
        return batches

    async def _call(self, aws: AwsCaller, texts: Sequence[str], purpose: Purpose) -> list[list[float]]:
        try:
            answer = await aws.call(
                "bedrock-runtime",
                "invoke_model",
                modelId=self._model_id,
                contentType="application/json",
                accept="application/json",
                body=self._model.body(texts, purpose, self._dimensions),
            )
        except AwsError as error:
            raise _failure(error, longest=max(map(len, texts))) from error
        return await anyio.to_thread.run_sync(self._read, answer["body"], len(texts))

    def _read(self, body: bytes, texts: int) -> list[list[float]]:
        try:
            vectors = list(_normalised(self._model.vectors(json.loads(body))))
        except (ValueError, TypeError, LookupError, ArithmeticError):
            vectors = []
        if len(vectors) != texts or any(len(vector) != self._dimensions for vector in vectors):
            raise EmbedderFault(
                "The embedding model on Amazon Bedrock answered with something else than the vectors asked for; "
                "whoever operates the server has to look at which model it is set to use."
            )
        return vectors


def _normalised(vectors: Any) -> Iterator[list[float]]:
    """Of length 1, whether the model makes them so or not."""
    for values in cast("list[list[Any]]", vectors):
        vector = [float(value) for value in values]
        length = math.hypot(*vector)
        if not math.isfinite(length):
            raise ValueError("not finite")
        yield [value / length for value in vector]


def _failure(error: AwsError, *, longest: int) -> ToolFailure:
    if error.fault is Fault.DENIED:
        return NotPermitted(
            "Amazon Bedrock refuses the role of this call the embedding model; whoever operates the server has to "
            "allow it bedrock:InvokeModel, and to enable the model in the account."
        )
    if error.code == "ValidationException" and longest > _FEWEST_CHARS_TOO_LONG:
        return InvalidArgument("A text to embed is longer than the embedding model takes; shorten or split it.")
    if error.code in _REFUSED:
        return EmbedderFault(
            "Amazon Bedrock does not know the embedding model by this name in this region, or does not take our "
            "request; whoever operates the server has to look at TENANTSCOPE_EMBEDDER (some models are had only by an "
            "inference profile, as in `bedrock:us.…`)."
        )
    if error.code in _PASSING:
        return Unavailable("The embedding model did not answer in time; try again shortly.")
    return error.as_failure()
