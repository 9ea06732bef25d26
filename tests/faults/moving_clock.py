"""The time that passes by itself, and more when a test says so."""

from datetime import UTC, datetime, timedelta


class MovingClock:
    """The system's clock, some way ahead: what waits for minutes is seen within a test, and tokens stay valid."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def advance(self, seconds: float) -> None:
        """Go ahead by this much more."""
        self._ahead += timedelta(seconds=seconds)
