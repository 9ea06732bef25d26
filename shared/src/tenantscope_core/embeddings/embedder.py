"""What embeds text: one interface, whoever computes the vectors."""

from collections.abc import Sequence
from typing import Literal, Protocol

from tenantscope_core.stores.aws import AwsCaller

Purpose = Literal["query", "document"]
"""Whether a text asks or is what may be found; some models embed the two differently."""


class Embedder(Protocol):
    """Turns texts into vectors whose cosine says how near their meanings are."""

    @property
    def tag(self) -> str:
        """Names model, revision, precision, pooling and dimensions: 1 to 63 of `a-z 0-9 . _ -`.

        Every stored vector carries it, and no query mixes tags: vectors of two tags cannot be compared.
        """
        ...

    @property
    def dimensions(self) -> int:
        """The length of each vector."""
        ...

    @property
    def asymmetric(self) -> bool:
        """Whether a text's vector as a query differs from its vector as a document."""
        ...

    async def embed(self, aws: AwsCaller, texts: Sequence[str], *, purpose: Purpose) -> list[list[float]]:
        """One L2-normalised vector for each text, in their order.

        Any number of texts is taken, and sent on in batches; none, and nothing happens. `aws` is the session of the
        call: models on Bedrock are called with it, a local one has no use for it.

        Raises:
            InvalidArgument: A text is empty, or longer than the model takes.
            Unavailable: The model does not answer, or is limiting requests.
            ToolFailure: AWS refused, what is needed is not installed, or the answer was not one.
        """
        ...
