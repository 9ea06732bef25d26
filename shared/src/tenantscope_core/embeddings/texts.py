"""What may be embedded."""

from collections.abc import Sequence

from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.texts import is_unicode


def require_texts(texts: Sequence[str], *, max_chars: int | None = None) -> None:
    """Refuse what no model embeds, or this one does not.

    Raises:
        InvalidArgument: A text is blank, longer than `max_chars`, or has half a surrogate pair in it.
    """
    for text in texts:
        if not text.strip():
            raise InvalidArgument("A text to embed is empty; leave it out, or say something.")
        if max_chars is not None and len(text) > max_chars:
            raise InvalidArgument(
                f"A text to embed has {len(text):,} characters; the embedding model takes {max_chars:,} at most."
            )
        if not is_unicode(text):
            raise InvalidArgument("A text to embed is not Unicode text: it has half of a surrogate pair in it.")
