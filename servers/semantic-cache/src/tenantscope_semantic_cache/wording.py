"""Words of a prompt, and lists of English words to hold them against."""

import re

WORD = re.compile(r"\w+(?:['’]\w+)*")


def listed(words: str) -> frozenset[str]:
    """A list of words, as it is read."""
    return frozenset(words.split())


def plain(word: str) -> str:
    """A word in lower case with a straight apostrophe, without that of a genitive."""
    return word.replace("’", "'").lower().removesuffix("'s")


def words(text: str) -> list[str]:
    """The plain words of a text, in order."""
    return [plain(word) for word in WORD.findall(text)]
