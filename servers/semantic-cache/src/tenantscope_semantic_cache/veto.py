"""Differences between two prompts that no similarity makes up for: numbers, negation, names."""

import re
from collections import Counter
from enum import StrEnum

from tenantscope_semantic_cache.wording import WORD, listed, plain, words

_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_NUMBER_WORDS = {word: str(value) for value, word in enumerate(_UNITS.split())} | {
    "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "hundred": "100", "thousand": "1000",
}  # fmt: skip
_NEGATIONS = listed("not no never none nobody nothing neither nor without cannot cant dont isnt wont")
_SENTENCE_END = frozenset(".?!:;\n")


class Difference(StrEnum):
    """What sets two prompts apart however alike they sound."""

    NUMBERS = "numbers"
    NEGATION = "negation"
    NAMES = "names"


def difference(asked: str, stored: str) -> Difference | None:
    """What forbids to answer one prompt by the other's answer, None where nothing was found.

    Numbers have to be the same, negations as many (odd or even), and not both may have a capitalised word inside a
    sentence, or a word with a capital or digit inside it, that the other lacks: `weather in Hawaii` is not
    `weather in Haiti`.
    """
    if _numbers(asked) != _numbers(stored):
        return Difference.NUMBERS
    if _negations(asked) % 2 != _negations(stored) % 2:
        return Difference.NEGATION
    if _unmatched(asked, stored) and _unmatched(stored, asked):
        return Difference.NAMES
    return None


def _numbers(text: str) -> Counter[str]:
    written = (_NUMBER_WORDS[word] for word in words(text) if word in _NUMBER_WORDS)
    return Counter([*_NUMBER.findall(text), *written])


def _negations(text: str) -> int:
    return sum(word.replace("'", "") in _NEGATIONS or word.endswith("n't") for word in words(text))


def _unmatched(text: str, other: str) -> set[str]:
    """The names in a text that the other has nowhere, in whatever case."""
    return _names(text) - set(words(other))


def _names(text: str) -> set[str]:
    found: set[str] = set()
    for match in WORD.finditer(text):
        word, before = match[0], text[: match.start()].rstrip()
        begins_sentence = not before or before[-1] in _SENTENCE_END
        inner_capital = any(char.isupper() for char in word[1:])
        named = word[0].isupper() and not begins_sentence and word.partition("'")[0] != "I"
        if inner_capital or named:
            found.add(plain(word))
    return found
