"""The steps of a recall: candidates by words and by meaning at once, what lies around them, the best of them."""

import re
from collections.abc import Sequence
from datetime import datetime

import anyio
from tenantscope_core.stores.aws import AwsCaller
from tenantscope_core.stores.task_failures import first_of

from tenantscope_memory.actors import SHARED
from tenantscope_memory.ranking import Question, rank
from tenantscope_memory.recollection import By, Recollection
from tenantscope_memory.sources.embedding import Embedding, Vectors
from tenantscope_memory.sources.search import CENTRAL, CLOCK_LEEWAY, MAX_COUNTED, MAX_HITS, ByWords, Scope, Search
from tenantscope_memory.text import cleaned

_KINDS = ("turn", "fact", "preference", "episode", "procedure")


def asked_scope(
    tenant: str, owner: str, *, kinds: Sequence[str] | None, namespace: str | None, since: datetime | None,
    as_of: datetime | None, known_at: datetime | None, now: datetime,
) -> Scope:  # fmt: skip
    """What a call may find: its actor's, and what all actors share; turns belong to no namespace."""
    wanted = [kind for kind in _KINDS if kinds is None or kind in kinds]
    return Scope(
        tenant=tenant,
        actors=[owner, SHARED],
        kinds=[kind for kind in wanted if namespace is None or kind != "turn"],
        namespace=namespace,
        as_of=as_of or now + CLOCK_LEEWAY,
        known_at=known_at,
        since=since,
        until=as_of,
    )


async def recalled(
    search: Search, embedding: Embedding, aws: AwsCaller, scope: Scope, query: str | None, *, limit: int, now: datetime
) -> Recollection:
    """The best `limit` of what is found.

    Raises:
        Unavailable: PostgreSQL does not answer. A model that does not answer costs only the search by meaning.
    """
    question = cleaned(query)[0].replace("\ufffd", " ").strip() if query is not None else ""
    if not question:
        ids = await search.unasked(scope)
        found = await _best(search, embedding, scope, [ids], ByWords([], [], 0, []), None, "", limit, now)
        found.not_searched.extend(_gaps(ByWords([], [], 0, []), scope, meaning=True, unembedded=0))
        return found
    by_words, vectors, unembedded = await _looked_up(search, embedding, aws, scope, question)
    vector = vectors.by_text.get(question) if vectors is not None else None
    near = await search.by_meaning(scope, embedding.tag, vector) if vector is not None else []
    found = await _best(search, embedding, scope, [by_words.ids, near], by_words, vector, question, limit, now)
    found.not_searched.extend(_gaps(by_words, scope, meaning=vector is not None, unembedded=unembedded))
    return found


async def _looked_up(
    search: Search, embedding: Embedding, aws: AwsCaller, scope: Scope, question: str
) -> tuple[ByWords, Vectors | None, int]:
    """Candidates by words, the question's vector, and how many texts have none yet, after embedding some of those."""
    by_words = ByWords([], [], 0, [])
    vectors: Vectors | None = None
    pending: dict[str, str] = {}

    async def look() -> None:
        nonlocal by_words
        by_words = await search.by_words(scope, question)

    async def embed() -> None:
        nonlocal vectors
        vectors = await embedding.vectors(aws, [question], purpose="query")

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(look)
            group.start_soon(embed)
            pending = await search.pending(scope, embedding.tag)
    except BaseExceptionGroup as failures:
        raise first_of(failures) from None
    if not pending:
        return by_words, vectors, 0
    if vectors is not None:
        made = await embedding.vectors(aws, list(pending.values()), purpose="document")
        if made is not None:
            await search.embed(scope, pending, made)
    return by_words, vectors, await search.count_pending(scope, embedding.tag)


async def _best(
    search: Search, embedding: Embedding, scope: Scope, lists: Sequence[Sequence[str]], by_words: ByWords,
    vector: Sequence[float] | None, question: str, limit: int, now: datetime,
) -> Recollection:  # fmt: skip
    by: list[By] = (["words", *(["meaning"] if vector is not None else [])]) if question else ["recency and importance"]
    ids = list(dict.fromkeys(id for best_first in lists for id in best_first))
    central = list(dict.fromkeys(id for best_first in lists for id in best_first[:CENTRAL]))
    if not ids:
        return Recollection([], 0, by, by_words.hits)
    candidates, around = await search.around(
        scope.tenant, ids, by_words.terms, central=central if question else [], tag=embedding.tag, vector=vector
    )
    words = frozenset(re.findall(r"\w+", question.casefold()))
    ranked = rank(candidates, around, Question(tuple(by_words.texts_with_term), words, now))
    texts = await search.texts(scope.tenant, [one.id for one in ranked[:limit]])
    best = [(one, texts[one.id]) for one in ranked[:limit] if one.id in texts]
    return Recollection(best, len(ranked), by, by_words.hits)


def _gaps(by_words: ByWords, scope: Scope, *, meaning: bool, unembedded: int) -> list[str]:
    """What could not be looked at, in words for the caller."""
    gaps: list[str] = []
    if not meaning:
        gaps.append("meaning: the question could not be embedded in time, so paraphrases are not found; ask again")
    elif unembedded:
        many = f"{unembedded:,} or more" if unembedded >= MAX_COUNTED else f"{unembedded:,}"
        gaps.append(f"meaning of {many} texts that are not embedded yet; their words are searched")
    if by_words.hits >= MAX_HITS:
        gaps.append(f"words: only the newest {MAX_HITS:,} texts with any of the words were looked at")
    if scope.namespace is not None:
        gaps.append("turns of sessions: they belong to no namespace")
    return gaps
