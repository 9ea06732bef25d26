"""Prompts and answers as they are kept: normalised, bounded, storable."""

import json
import unicodedata

from tenantscope_core.results.errors import InvalidArgument
from tenantscope_core.results.texts import is_unicode

MAX_PROMPT_CHARS = 20_000
MAX_ANSWER_BYTES = 20_000
"""Of an answer as JSON text; with what is said beside it, it fits into the 25,000 bytes of a tool's answer."""


def normalised_prompt(prompt: str) -> str:
    """A prompt in Unicode NFC with each run of white space as one blank; case and punctuation stay.

    Case is not folded: `US` and `us`, or two identifiers of a program, are different questions.

    Raises:
        InvalidArgument: There is no letter or digit in it, or something in it cannot be stored.
    """
    text = unicodedata.normalize("NFC", " ".join(storable(prompt, "prompt").split()))
    if not any(map(str.isalnum, text)):
        raise InvalidArgument("prompt has no word in it; what nobody asked has no answer to find.", parameter="prompt")
    return text


def bounded_answer(answer: str) -> str:
    """An answer that can be stored, and sent back whole.

    Raises:
        InvalidArgument: It is empty, too large, or something in it cannot be stored.
    """
    if not storable(answer, "answer").strip():
        raise InvalidArgument("answer is empty; there is nothing to store.", parameter="answer")
    size = len(json.dumps(answer, ensure_ascii=False).encode())
    if size > MAX_ANSWER_BYTES:
        raise InvalidArgument(
            f"answer has {size:,} bytes as JSON text, and {MAX_ANSWER_BYTES:,} is the most that is kept; "
            "store a shorter one, or where it can be found.",
            parameter="answer",
        )
    return answer


def storable(text: str, parameter: str) -> str:
    """The text itself.

    Raises:
        InvalidArgument: It holds a NUL or half a surrogate pair, which no store of text takes.
    """
    if "\0" in text or not is_unicode(text):
        raise InvalidArgument(f"{parameter} holds a character that is not text.", parameter=parameter)
    return text
