"""Text as it is kept, measured and shown: what cannot be stored is replaced, what is long is measured in tokens."""

import json
import re
import unicodedata
from typing import Final

BYTES_PER_TOKEN: Final = 4
"""What English text and JSON come to on average, within a fifth; our own estimate, no model's count."""

_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def cleaned(text: str) -> tuple[str, int]:
    """A text whose control characters and lone surrogates are U+FFFD, and how many were; tabs and line ends stay."""
    return _UNSTORABLE.subn("\ufffd", text)


def folded(text: str) -> str:
    """A text without differences of case, form and spacing, to tell whether two say the same in the same words."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def json_bytes(text: str) -> int:
    """How many bytes a text takes as JSON."""
    return len(json.dumps(text, ensure_ascii=False).encode(errors="replace"))


def excerpt(text: str, room_bytes: int) -> str:
    """As much of a text, from its beginning, as takes at most so many bytes as JSON with its quotation marks."""
    kept = text[: max(0, room_bytes)]
    while kept and (over := json_bytes(kept) - room_bytes) > 0:
        kept = kept[: -max(1, over // 6)]  # a character takes at most six bytes
    return kept


def tokens(size_bytes: int) -> int:
    """About how many tokens so many bytes cost a model."""
    return -(-size_bytes // BYTES_PER_TOKEN)
