"""Texts that are being embedded at the moment, so that a second caller waits instead of asking again."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio

from tenantscope_core.results.errors import Unavailable

Flown = tuple[str, str]
"""Whose text it is (a tenant, or nobody's), and its key."""


@dataclass(slots=True, eq=False)
class Flight:
    """One computation that others wait for. Landed without a vector or a failure, it was given up."""

    landed: anyio.Event = field(default_factory=anyio.Event)
    vector: list[float] | None = None
    failure: Unavailable | None = None


class Flights:
    """The flights under way, by tenant and key: no tenant ever waits for another's, nor is served by it."""

    def __init__(self) -> None:
        self._flights: dict[Flown, Flight] = {}

    def under_way(self, flown: Flown) -> Flight | None:
        """The flight to wait for, if there is one."""
        return self._flights.get(flown)

    @contextmanager
    def leading(self, flown: Sequence[Flown]) -> Generator[dict[Flown, Flight]]:
        """Flights of which none is under way, landed where the block ends, however it does.

        Those without a vector are failed by an `Unavailable`, which would meet the others too, and else given up.
        """
        own = {one: Flight() for one in flown}
        self._flights.update(own)
        failure: Unavailable | None = None
        try:
            yield own
        except Unavailable as error:
            failure = error
            raise
        finally:
            for one, flight in own.items():
                flight.failure = failure
                flight.landed.set()
                self._flights.pop(one, None)
