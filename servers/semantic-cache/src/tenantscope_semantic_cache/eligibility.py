"""Which prompts may be answered by meaning: not those that mean little alone."""

import re
from enum import StrEnum

from tenantscope_semantic_cache.scope import Scope
from tenantscope_semantic_cache.wording import WORD, listed, words

MIN_WORDS = 3
MAX_READ = 250
"""Tokens, as estimated: the smallest model reads 256 and says nothing of the rest, which then counts for nothing."""
_PLAIN_WORD = re.compile(r"[A-Za-z]+")

_CONTINUES = re.compile(
    r"(?:and|or|but|so|also|then|plus|again|instead|same|ditto|likewise|otherwise|more|another|next|continue|go on"
    r"|go ahead|yes|no|ok|okay|sure|why not|what about|how about|what if not|what else|who else|where else|how so"
    r"|like what|such as|for example|in that case|the other|the others|the former|the latter|the first|the second"
    r"|the last|the previous|the same|tell me more|say more|explain more|elaborate)\b",
    re.IGNORECASE,
)
_REFERS = listed(
    "he him his she her hers they them their theirs it its himself herself itself themselves former latter"
)
_POINTS = listed("this that these those such")
_TIMES = listed("day week weekend month quarter year morning afternoon evening night season")
_BEFORE_POINTING = listed(
    "about of for from with to in on at by into like than is was are were do does did and or use using without"
)
_JUDGES = listed(
    "allowed possible impossible legal illegal safe dangerous ok okay fine necessary required mandatory true normal "
    "better best worth easy hard difficult common permitted forbidden advisable recommended important wise acceptable"
)
"""Words between `it` and what it announces: is it safe to …, is it true that …"""
_FUNCTION = listed(
    "a an the of for from with to in on at by into about as than if when while after before i you we me my your our us "
    "is are was were be been being am do does did done has have had can could will would shall should may might must "
    "what who whom whose which where when why how not no yes please there here s t and or but so then also just only "
    "tell give show explain say know think much many old long far big often"
)
"""Words that name nothing which a later pronoun could stand for."""


class Skipped(StrEnum):
    """Why meanings were not compared."""

    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    FOLLOW_UP = "follow_up"
    AGENT_TURN = "agent_turn_without_context"
    NOT_EMBEDDED = "not_embedded"
    NO_DATABASE = "no_database"

    @property
    def sentence(self) -> str:
        """What it means and what would help."""
        return _SENTENCES[self]


_SENTENCES = {
    Skipped.TOO_SHORT: f"a prompt of fewer than {MIN_WORDS} words means too little alone",
    Skipped.TOO_LONG: "the prompt is longer than the embedding model reads",
    Skipped.FOLLOW_UP: "the prompt refers to what was said before; pass context, or ask in full",
    Skipped.AGENT_TURN: "an answer that tools took part in depends on what they returned; pass context",
    Skipped.NOT_EMBEDDED: "the embedding model does not answer",
    Skipped.NO_DATABASE: "PostgreSQL does not answer",
}


def reason_to_skip(prompt: str, scope: Scope) -> Skipped | None:
    """Why a normalised prompt is not to be answered by meaning, None where it may be.

    English wording is recognised, by rule: a prompt that begins by continuing something, or that has a pronoun before
    anything was named that it could stand for. With a context in the scope both are answered within that context alone.
    """
    if len(WORD.findall(prompt)) < MIN_WORDS:
        return Skipped.TOO_SHORT
    if tokens_at_most(prompt) > MAX_READ:
        return Skipped.TOO_LONG
    if scope.context is not None:
        return None
    if scope.tools is not None:
        return Skipped.AGENT_TURN
    if is_follow_up(prompt):
        return Skipped.FOLLOW_UP
    return None


def tokens_at_most(prompt: str) -> int:
    """Tokens of a prompt for a word-piece model, rather too many: one for three letters of a plain word, else one each.

    Only words made up of letters that no language has in that order take more.
    """
    plain = _PLAIN_WORD.findall(prompt)
    others = sum(not char.isspace() for char in prompt) - sum(map(len, plain))
    return others + sum(-(-len(word) // 3) for word in plain)


def is_follow_up(prompt: str) -> bool:
    """Whether a prompt seems to refer to something that it does not name."""
    if _CONTINUES.match(prompt):
        return True
    said = words(prompt)
    named = 0
    for place, word in enumerate(said):
        stem = word.partition("'")[0]
        following = said[place + 1] if place + 1 < len(said) else ""
        announces = stem == "it" and _announces(said[place + 1 :])
        if stem in _REFERS and named < 2 and not announces:
            return True
        if stem in _POINTS and following not in _TIMES and _points_outside(said, place, named):
            return True
        if stem not in _FUNCTION and stem not in _REFERS | _POINTS:
            named += 1
    return False


def _announces(following: list[str]) -> bool:
    """Whether `it` stands for what comes after it."""
    words_after = [word for word in following[:3] if word != "not"]
    return len(words_after) > 1 and words_after[0] in _JUDGES and words_after[1] in ("to", "that", "for")


def _points_outside(said: list[str], place: int, named: int) -> bool:
    """Whether `this`, `that` and the like point at something unsaid; after a noun, `that` begins a clause."""
    if said[place].partition("'")[0] != "that":
        return named < 2 or place == len(said) - 1
    return place == 0 or place == len(said) - 1 or (said[place - 1] in _BEFORE_POINTING and named < 2)
