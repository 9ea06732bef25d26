"""Differences between two prompts that no similarity makes up for: letters, numbers, negation, names, order."""

import re
import unicodedata
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
_OPPOSITES = (
    ("before", "after"), ("enable", "disable"), ("enabled", "disabled"), ("increase", "decrease"),
    ("raise", "lower"), ("more", "less"), ("most", "least"), ("cheapest", "expensive"), ("highest", "lowest"),
    ("maximum", "minimum"), ("with", "without"), ("include", "exclude"), ("including", "excluding"),
    ("add", "remove"), ("allow", "forbid"), ("allowed", "forbidden"), ("open", "close"), ("start", "stop"),
    ("start", "end"), ("first", "last"), ("buy", "sell"), ("lend", "borrow"), ("import", "export"),
    ("upload", "download"), ("upgrade", "downgrade"), ("subscribe", "unsubscribe"), ("install", "uninstall"),
    ("lock", "unlock"), ("login", "logout"), ("above", "below"), ("over", "under"), ("arrive", "depart"),
    ("arrival", "departure"), ("incoming", "outgoing"), ("inbound", "outbound"), ("public", "private"),
    ("internal", "external"), ("legal", "illegal"), ("possible", "impossible"), ("old", "new"), ("he", "she"),
    ("his", "her"), ("men", "women"), ("male", "female"), ("always", "never"), ("win", "lose"),
)  # fmt: skip
_MANNERS = listed("please")
_SENTENCE_END = frozenset(".?!:;\n")
_SIGNS = frozenset(("Sm", "Sc", "So", "No"))
"""Categories of Unicode: of mathematics, currencies, pictures, and numbers that are no digits."""
_LONGEST_READ = 100
"""Letters of the longest word that a word-piece model takes apart."""


class Difference(StrEnum):
    """What sets two prompts apart however alike they sound."""

    LETTERS = "letters or signs"
    NUMBERS = "numbers"
    NEGATION = "negation"
    OPPOSITES = "opposites"
    NAMES = "names"
    ORDER = "order of words"


def difference(asked: str, stored: str) -> Difference | None:
    """What forbids to answer one prompt by the other's answer, None where nothing was found.

    The same has to be what a model may read as one unknown word, whatever it is: words of other scripts than the Latin
    one, very long ones, and signs; and the accents of a word that both have. Numbers have to be the same, negations as
    many (odd or even). Neither may say a word whose listed opposite the other says instead, nor the same words in
    another order (`from Vienna to Graz`). And not both may have a capitalised word inside a sentence, or a word with a
    capital inside it, that the other lacks: `weather in Hawaii` is not `weather in Haiti`. Of negations, opposites and
    names English is recognised; the lists are short.
    """
    if _unread(asked) != _unread(stored) or _accents_differ(asked, stored):
        return Difference.LETTERS
    if _numbers(asked) != _numbers(stored):
        return Difference.NUMBERS
    if _negations(asked) % 2 != _negations(stored) % 2:
        return Difference.NEGATION
    if _opposed(set(words(asked)), set(words(stored))):
        return Difference.OPPOSITES
    if _unmatched(asked, stored) and _unmatched(stored, asked):
        return Difference.NAMES
    one, other = ([word for word in words(text) if word not in _MANNERS] for text in (asked, stored))
    return Difference.ORDER if one != other and sorted(one) == sorted(other) else None


def _unread(text: str) -> Counter[str]:
    """The words and signs of a text that are not told apart by every model, words without punctuation."""
    found = Counter(char for char in text if char in "#%" or unicodedata.category(char) in _SIGNS)
    for word in text.split():
        if len(word) > _LONGEST_READ or any(map(_is_foreign, word)):
            found["".join(char for char in word if unicodedata.category(char)[0] != "P").casefold()] += 1
    return found


def _is_foreign(char: str) -> bool:
    return not char.isascii() and char.isalpha() and "LATIN" not in unicodedata.name(char, "")


def _accents_differ(asked: str, stored: str) -> bool:
    """Whether some word of both is spelt with other accents, which a model may not see."""
    one, other = _by_letters(asked), _by_letters(stored)
    return any(one[letters] != other[letters] for letters in one.keys() & other.keys())


def _by_letters(text: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for word in words(text):
        bare = "".join(char for char in unicodedata.normalize("NFD", word) if not unicodedata.combining(char))
        found.setdefault(bare, set()).add(word)
    return found


def _opposed(asked: set[str], stored: set[str]) -> bool:
    only_asked, only_stored = asked - stored, stored - asked
    return any(
        (one in only_asked and other in only_stored) or (other in only_asked and one in only_stored)
        for one, other in _OPPOSITES
    )


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
