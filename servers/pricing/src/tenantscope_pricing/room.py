"""Room in an answer: what one that is too large leaves out, in a stated order, until it fits."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from pydantic import BaseModel

ROOM_BYTES = 22_000
"""What an answer may take as compact JSON, with a margin below the most that a server sends."""

AnswerT = TypeVar("AnswerT", bound=BaseModel)
Less = Callable[[AnswerT], AnswerT | None]
"""The answer with less detail of one kind, counted where it was; None where there is no more of it to leave out."""


def fitted(answer: AnswerT, order: Sequence[Less[AnswerT]], *, room: int = ROOM_BYTES) -> AnswerT:
    """The answer as it is where there is room for it, else with each kind of detail left out in order as far as needed.

    Each step is taken again until the answer fits or the step has nothing more to leave out.
    """
    for step in order:
        while bytes_of(answer) > room:
            less = step(answer)
            if less is None:
                break
            answer = less
    return answer


def bytes_of(answer: BaseModel) -> int:
    """How many bytes it takes as compact JSON."""
    return len(answer.model_dump_json(by_alias=True, exclude_none=True).encode())
