"""The cache itself: look-ups through both tiers, and stores that leave no former answer to be served."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tenantscope_core.embeddings import Embedder
from tenantscope_core.results.errors import InvalidArgument, ToolFailure, Unavailable
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.tool import Call

from tenantscope_semantic_cache.eligibility import Skipped, reason_to_skip
from tenantscope_semantic_cache.entries import Copy, Entry
from tenantscope_semantic_cache.found import Kept, Looked, choose
from tenantscope_semantic_cache.prompts import normalised_prompt
from tenantscope_semantic_cache.scope import Scope, answer_id, entry_id, fingerprint
from tenantscope_semantic_cache.sources.exact import ExactTier
from tenantscope_semantic_cache.sources.reading import Reading
from tenantscope_semantic_cache.sources.writing import NewEntry, Writing

CLOCKS_APART: Final = timedelta(seconds=5)
"""How far the clocks of two replicas may be apart."""
NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Until when a copy is trusted that is not made."""

_NO_VALKEY = "valkey: does not answer; PostgreSQL was asked instead"
_NO_COPY = "valkey: does not answer; exact hits come from PostgreSQL meanwhile"
_NO_POSTGRES = "postgresql: does not answer; only copies in Valkey were looked at"
_NO_EMBEDDING = "embeddings: the model does not answer; only the very same prompt could be found"
_NOT_EMBEDDED = "embeddings: the model does not answer; store it again to have it found by meaning"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A normalised prompt in its scope, and whose it is."""

    tenant: str
    subject: str
    text: str
    scope: Scope
    aws: AwsCaller
    now: datetime

    def scope_digest(self, *, shared: bool) -> bytes:
        """Its scope, among what the tenant's users share or among the user's own."""
        return self.scope.digest(self.tenant, None if shared else self.subject)


def prompt_of(call: Call[Any], text: str, scope: Scope) -> Prompt:
    """The prompt of a call.

    Raises:
        InvalidArgument: There is no word in it, or something in it cannot be stored.
    """
    return Prompt(call.one_tenant, call.caller.subject, normalised_prompt(text), scope, call.aws, call.now)


class Cache:
    """Answers to prompts of many tenants: PostgreSQL is the truth, Valkey holds copies that it vouches for."""

    def __init__(
        self, exact: ExactTier, reading: Reading, writing: Writing, embedder: Embedder, *, copy_seconds: float
    ) -> None:
        self._exact = exact
        self._reading = reading
        self._writing = writing
        self._embedder = embedder
        self._copy_for = timedelta(seconds=copy_seconds)

    async def look_up(self, prompt: Prompt, *, threshold: float) -> Looked:
        """The entry for a prompt, the user's own before what is shared, the very same prompt before a similar one."""
        scopes = [prompt.scope_digest(shared=False), prompt.scope_digest(shared=True)]
        fingerprints = [fingerprint(scope, prompt.text) for scope in scopes]
        copy, valkey_answers = await self._exact.find(prompt.tenant, fingerprints, prompt.now)
        if copy is not None:
            return Looked(exact=copy.entry)
        degraded = [_NO_VALKEY] if self._exact.is_set_up and not valkey_answers else []
        try:
            entry = await self._from_postgres(prompt, fingerprints, copied=valkey_answers)
            if entry is not None:
                return Looked(exact=entry, degraded=degraded)
            return await self._by_meaning(prompt, scopes, threshold, degraded)
        except Unavailable:
            return Looked(skipped=Skipped.NO_DATABASE, degraded=[*degraded, _NO_POSTGRES])

    async def store(self, prompt: Prompt, entry: Entry) -> Kept:
        """Keep an entry; when this returns it is durable, and no former answer to its prompt is served by anyone.

        Raises:
            Unavailable: PostgreSQL does not answer; or a former answer may still be copied, and Valkey does not answer.
        """
        scope = prompt.scope_digest(shared=entry.shared)
        new = NewEntry(
            replace(entry, entry_id=_entry_id(scope, prompt.text, entry.answer)),
            fingerprint(scope, prompt.text),
            fingerprint(prompt.scope_digest(shared=True), prompt.text),
            scope,
            answer_id(scope, entry.answer),
            prompt.text,
            None,
            None,
        )
        skipped, degraded = reason_to_skip(prompt.text, prompt.scope), list[str]()
        if skipped is None:
            vector = await self._vector(prompt)
            if isinstance(vector, Skipped):
                skipped = vector
                degraded += [_NOT_EMBEDDED] if vector is Skipped.NOT_EMBEDDED else []
            else:
                new = replace(new, embedder=self._embedder.tag, vector=vector)
        copied_until = min(prompt.now + self._copy_for, entry.expires_at) if self._exact.may_copy() else NEVER
        began = self._exact.reading_begins()
        written = await self._writing.put(prompt.tenant, new, copied_until=copied_until)
        kept = replace(new.entry, version=written.version, shadowed=written.shadowed)
        late = self._exact.is_late(began)
        copied = not late and await self._exact.put(
            Copy(prompt.tenant, kept, copied_until),
            new.fingerprint,
            prompt.now,
            began=began,
            keeps_out_until=written.stale_until + CLOCKS_APART,
        )
        if not copied:
            degraded += [_NO_COPY] if self._exact.is_set_up and not late else []
            await self._withdraw(prompt, new.fingerprint, written.version, written.stale_until)
        if not entry.shared:
            await self._withdraw(prompt, new.among_all, written.version, written.unaware_until)
        return Kept(kept, written.former, skipped, degraded)

    async def _withdraw(self, prompt: Prompt, key: bytes, version: int, trusted_until: datetime) -> None:
        """Let no copy older than a version be found any more.

        Raises:
            Unavailable: One may be trusted still, and Valkey does not answer.
        """
        lasting = trusted_until + CLOCKS_APART - prompt.now
        if lasting <= timedelta() or await self._exact.put_nothing(prompt.tenant, key, version, lasting):
            return
        raise Unavailable(
            "The answer is stored, but Valkey, which may hold a former one, does not answer; the same call succeeds "
            "once it does, or once no copy is trusted any more.",
            retry_after_seconds=lasting.total_seconds(),
        )

    async def _from_postgres(self, prompt: Prompt, fingerprints: Sequence[bytes], *, copied: bool) -> Entry | None:
        copied_until = prompt.now + self._copy_for if copied else None
        began = self._exact.reading_begins()
        found = await self._reading.find(prompt.tenant, fingerprints, prompt.now, copied_until=copied_until)
        if found is None:
            return None
        if copied_until is not None:
            copy = Copy(prompt.tenant, found.entry, min(copied_until, found.entry.expires_at))
            await self._exact.put(copy, found.fingerprint, prompt.now, began=began)
        return found.entry

    async def _by_meaning(
        self, prompt: Prompt, scopes: Sequence[bytes], threshold: float, degraded: list[str]
    ) -> Looked:
        skipped = reason_to_skip(prompt.text, prompt.scope)
        if skipped is not None:
            return Looked(skipped=skipped, degraded=degraded)
        vector = await self._vector(prompt)
        if isinstance(vector, Skipped):
            said = [_NO_EMBEDDING] if vector is Skipped.NOT_EMBEDDED else []
            return Looked(skipped=vector, degraded=[*degraded, *said])
        nearest = await self._reading.nearest(
            prompt.tenant, scopes, vector, self._embedder.tag, prompt.now, threshold=threshold
        )
        near, differs = choose(prompt.text, nearest, threshold=threshold)
        highest = nearest[0].similarity if nearest else None
        return Looked(near=near, nearest=highest, differs=differs, degraded=degraded)

    async def _vector(self, prompt: Prompt) -> Sequence[float] | Skipped:
        """The prompt's vector. Both sides of a comparison are prompts, so all are embedded for one purpose."""
        try:
            return (await self._embedder.embed(prompt.aws, [prompt.text], purpose="query"))[0]
        except InvalidArgument:
            return Skipped.TOO_LONG
        except ToolFailure:
            return Skipped.NOT_EMBEDDED


def _entry_id(scope: bytes, prompt: str, answer: str) -> str:
    return entry_id(fingerprint(scope, prompt), answer_id(scope, answer)).hex()
