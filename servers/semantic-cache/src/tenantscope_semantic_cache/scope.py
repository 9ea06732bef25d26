"""What an answer depends on beside its prompt, and the fingerprints made of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

from tenantscope_semantic_cache.prompts import storable


@dataclass(frozen=True, slots=True)
class Scope:
    """Model, system prompt, tools, locale and context of a prompt, as texts or digests; None where not stated.

    Two prompts are only ever compared where all of it is equal.

    Raises:
        InvalidArgument: Something in a part is not text.
    """

    model: str | None = None
    system: str | None = None
    tools: str | None = None
    locale: str | None = None
    context: str | None = None

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if value is not None:
                storable(value, part.name)

    def digest(self, tenant: str, subject: str | None) -> bytes:
        """SHA-256 of the scope for one user of a tenant, or with None for what its users share."""
        parts = (self.model, self.system, self.tools, self.locale, self.context)
        return _digest("scope", (tenant, subject, *parts))


def fingerprint(scope: bytes, prompt: str) -> bytes:
    """SHA-256 of a scope and a normalised prompt: the key of the exact tier."""
    return _digest("prompt", (scope.hex(), prompt))


def answer_id(scope: bytes, answer: str) -> bytes:
    """SHA-256 of a scope and an answer, so that many prompts of a scope may share one answer."""
    return _digest("answer", (scope.hex(), answer))


def entry_id(prompt_fingerprint: bytes, answer: bytes) -> bytes:
    """16 bytes that name one answer to one prompt of one tenant: the same for the same, and no other tenant's."""
    return _digest("entry", (prompt_fingerprint.hex(), answer.hex()))[:16]


def _digest(kind: str, parts: Sequence[str | None]) -> bytes:
    """SHA-256 of parts, each with its length before it, so that no two lists read the same."""
    digest = hashlib.sha256(f"tenantscope/1/{kind}".encode())
    for part in parts:
        data = b"" if part is None else part.encode()
        digest.update(b"-" if part is None else len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.digest()
