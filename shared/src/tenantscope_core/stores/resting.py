"""A store that failed is left alone for a while."""

import time
from collections.abc import Callable


class Resting:
    """Whether to ask a store whose work can be done without it.

    After a failure it is left alone for `rest_seconds`, then one caller tries it again while the others still do
    without: a dead store costs one call its timeout every few seconds, and the others nothing.
    """

    def __init__(self, *, rest_seconds: float = 3.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rest_seconds = rest_seconds
        self._monotonic = monotonic
        self._again_at = 0.0
        self.failed = False
        """Whether it failed when it was last asked."""

    def may_ask(self) -> bool:
        """Whether this caller asks; while the store rests, only the first of each `rest_seconds`."""
        if not self.failed:
            return True
        if self._monotonic() < self._again_at:
            return False
        self._again_at = self._monotonic() + self._rest_seconds
        return True

    def answered(self) -> None:
        """It did."""
        self.failed = False

    def did_not_answer(self) -> None:
        """Leave it alone from now on."""
        self.failed = True
        self._again_at = self._monotonic() + self._rest_seconds
