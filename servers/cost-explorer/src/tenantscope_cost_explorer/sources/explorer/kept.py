"""Answers that were paid for, kept in this process until what they say can have changed."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeAlias

from tenantscope_cost_explorer.tagged import TaggedCost

FINAL_AFTER = timedelta(days=15)
"""AWS closes a bill within about two weeks of its month."""
OPEN_FOR, FINAL_FOR = timedelta(hours=8), timedelta(days=7)
"""AWS renews its data up to three times a day; a closed bill changes by a late credit at most."""
Key: TypeAlias = tuple[str | None, str]
"""Whose answer it is, None being the fleet, and the request."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer and when it was had."""

    costs: Sequence[TaggedCost]
    asked: datetime
    until: datetime


def kept_until(asked: datetime, end: date) -> datetime:
    """Until when an answer about days before `end` serves."""
    return asked + (FINAL_FOR if end + FINAL_AFTER <= asked.date() else OPEN_FOR)


class KeptAnswers:
    """Answers by tenant and request; at most so many, and so many sums in all, the longest unused going first."""

    def __init__(self, *, clock: Callable[[], datetime], max_answers: int = 2_000, max_sums: int = 100_000) -> None:
        self._clock = clock
        self._max_answers = max_answers
        self._max_sums = max_sums
        self._sums = 0
        self._answers: OrderedDict[Key, Kept] = OrderedDict()

    def get(self, key: Key) -> Kept | None:
        """The answer, while it serves."""
        found = self._answers.get(key)
        if found is None or found.until <= self._clock():
            self._drop(key)
            return None
        self._answers.move_to_end(key)
        return found

    def put(self, key: Key, answer: Kept) -> None:
        """Keep an answer, unless it alone is more than may be kept."""
        self._drop(key)
        if len(answer.costs) > self._max_sums:
            return
        self._answers[key] = answer
        self._sums += len(answer.costs)
        while len(self._answers) > self._max_answers or self._sums > self._max_sums:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: Key) -> None:
        found = self._answers.pop(key, None)
        if found is not None:
            self._sums -= len(found.costs)
