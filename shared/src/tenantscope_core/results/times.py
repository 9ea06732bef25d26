"""Times as callers write them: with their offset, between years that can be read back, one value a moment."""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

_FIRST: Final = datetime(1, 1, 2, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)
"""Times between these have a year of four digits in every zone, so that what is written can be read back."""


def _written(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("a time is written, with its offset")
    return value


def _in_utc(moment: datetime) -> datetime:
    if not _FIRST <= moment <= _LAST:
        raise ValueError("a time lies between the years 1 and 9999")
    return moment.astimezone(UTC)


Time = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_utc)]
"""A time as text with its offset, and no number of seconds; in UTC, so that one moment is one value however written."""
