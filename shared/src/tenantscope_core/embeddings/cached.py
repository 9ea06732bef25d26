"""A tenant's embeddings kept in Valkey, and one computation at a time for each text."""

import hashlib
import struct
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tenantscope_core.embeddings.embedder import Embedder, Purpose
from tenantscope_core.embeddings.flights import Flights
from tenantscope_core.results.errors import Unavailable
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.resting import Resting

if TYPE_CHECKING:
    from tenantscope_core.stores.valkey import TenantValkey, ValkeyStore

NAMESPACE: Final = "embeddings"
"""Behind a tenant's prefix in Valkey."""
TEXTS_AT_ONCE: Final = 512
"""Texts that are looked up, embedded and kept together."""
_MAX_TENANTS = 10_000
_NOBODY = ""


@dataclass(frozen=True, slots=True)
class EmbeddingCounts:
    """Texts that this process was asked for: found in Valkey, embedded, or embedded for another call just then."""

    hits: int = 0
    misses: int = 0
    joined: int = 0


class CachedEmbedder:
    """An embedder that asks another only for what it does not find.

    Entries belong to the tenant of the session, lie in Valkey behind its prefix (by tag, by purpose where the model
    is asymmetric, and by SHA-256 of the text, as float32) and end after `expire_seconds`. Texts are taken as they are:
    normalising them is the caller's business. While a text is being embedded for a tenant in this process, its other
    calls wait for that. Without a Valkey, while it is down, and for the fleet, which has no keys there, it embeds.
    Vectors are rounded to float32 also when they are not kept, so that the same text always has the same one.
    """

    def __init__(
        self,
        embedder: Embedder,
        valkey: "ValkeyStore | None",
        *,
        expire_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._embedder = embedder
        self._valkey = valkey
        self._expire_seconds = expire_seconds
        self._resting = Resting(monotonic=monotonic)
        self._flights = Flights()
        self._counts: OrderedDict[str, EmbeddingCounts] = OrderedDict()
        self._form = struct.Struct(f"<{embedder.dimensions}f")

    @property
    def tag(self) -> str:
        """As the other embedder's."""
        return self._embedder.tag

    @property
    def dimensions(self) -> int:
        """As the other embedder's."""
        return self._embedder.dimensions

    @property
    def asymmetric(self) -> bool:
        """As the other embedder's."""
        return self._embedder.asymmetric

    def counts(self, tenant: str) -> EmbeddingCounts:
        """What was counted for a tenant since this process started, or since 10,000 others were counted."""
        return self._counts.get(tenant, EmbeddingCounts())

    async def embed(self, aws: AwsCaller, texts: Sequence[str], *, purpose: Purpose) -> list[list[float]]:
        """As the other embedder does it, which is asked only for what is not found."""
        found: dict[str, list[float]] = {}
        wanted = {text: self._key(text, purpose) for text in texts}
        for start in range(0, len(wanted), TEXTS_AT_ONCE):
            some = dict(list(wanted.items())[start : start + TEXTS_AT_ONCE])
            found |= await self._embed_some(aws, some, purpose)
        return [found[text] for text in texts]

    async def _embed_some(self, aws: AwsCaller, wanted: dict[str, str], purpose: Purpose) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        owner = aws.tenant or _NOBODY
        while missing := {text: key for text, key in wanted.items() if text not in found}:
            # Others' flights are waited for only after one's own have landed, so nobody waits in a circle. A flight
            # that was given up is flown again by one of those who waited, who then fails or succeeds for itself.
            joined = {
                text: flight for text, key in missing.items() if (flight := self._flights.under_way((owner, key)))
            }
            own = {text: key for text, key in missing.items() if text not in joined}
            if own:
                with self._flights.leading([(owner, key) for key in own.values()]) as flights:
                    for text, vector in (await self._look_up_or_embed(aws, own, purpose)).items():
                        flights[owner, own[text]].vector = found[text] = vector
            for text, flight in joined.items():
                await flight.landed.wait()
                if flight.failure is not None:
                    failure = flight.failure
                    raise Unavailable(failure.sentence, retry_after_seconds=failure.remedy.retry_after_seconds or 0)
                if flight.vector is not None:
                    found[text] = flight.vector
                    self._count(owner, joined=1)
        return found

    async def _look_up_or_embed(
        self, aws: AwsCaller, wanted: dict[str, str], purpose: Purpose
    ) -> dict[str, list[float]]:
        """Vectors of all these texts, those not found embedded and kept."""
        keys = self._valkey.tenant(aws.tenant, NAMESPACE) if self._valkey and aws.tenant else None
        kept = await self._get(keys, wanted) if keys else {}
        missing = [text for text in wanted if text not in kept]
        self._count(aws.tenant or _NOBODY, hits=len(kept), misses=len(missing))
        if not missing:
            return kept
        vectors = await self._embedder.embed(aws, missing, purpose=purpose)
        packed = {text: self._form.pack(*vector) for text, vector in zip(missing, vectors, strict=True)}
        if keys:
            await self._set(keys, {wanted[text]: value for text, value in packed.items()})
        return kept | {text: list(self._form.unpack(value)) for text, value in packed.items()}

    async def _get(self, keys: "TenantValkey", wanted: dict[str, str]) -> dict[str, list[float]]:
        if not self._resting.may_ask():
            return {}
        try:
            values = await keys.get_many(list(wanted.values()))
        except Unavailable:
            self._resting.did_not_answer()
            return {}
        self._resting.answered()
        return {
            text: list(self._form.unpack(value))
            for text, value in zip(wanted, values, strict=True)
            if value is not None and len(value) == self._form.size
        }

    async def _set(self, keys: "TenantValkey", values: dict[str, bytes]) -> None:
        if not self._resting.failed:
            try:
                await keys.set_many(values, expire_seconds=self._expire_seconds)
            except Unavailable:
                self._resting.did_not_answer()

    def _key(self, text: str, purpose: Purpose) -> str:
        kind = purpose if self._embedder.asymmetric else "any"
        return f"{self._embedder.tag}/{kind}/{hashlib.sha256(text.encode()).hexdigest()}"

    def _count(self, owner: str, *, hits: int = 0, misses: int = 0, joined: int = 0) -> None:
        before = self._counts.pop(owner, EmbeddingCounts())
        self._counts[owner] = replace(
            before, hits=before.hits + hits, misses=before.misses + misses, joined=before.joined + joined
        )
        if len(self._counts) > _MAX_TENANTS:
            self._counts.popitem(last=False)
